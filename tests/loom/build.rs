//! Writes the protocol once more with its two loads in the wrong order, so that the models can show that
//! they would notice.

use std::{env, fs, path::Path};

const PROTOCOL: &str = "../../src/backend/memory/rates/slots/bucket.rs";
const STATE: &str = "        let word = Word(self.state.load(Acquire));\n";
const FINGERPRINT: &str = "        let holder = self.fingerprint.load(Acquire);\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={PROTOCOL}");
    let text = fs::read_to_string(PROTOCOL)?;
    let right = format!("{STATE}{FINGERPRINT}");
    if text.matches(&right).count() != 1 {
        return Err(format!("{PROTOCOL} does not load the state and then the fingerprint in one place").into());
    }
    let swapped: String = text
        .replace(&right, &format!("{FINGERPRINT}{STATE}"))
        .lines()
        // What is included begins with no documentation of its own.
        .filter(|line| !line.starts_with("//!"))
        .flat_map(|line| [line, "\n"])
        .collect();
    fs::write(Path::new(&env::var("OUT_DIR")?).join("swapped.rs"), swapped)?;
    Ok(())
}
