//! The one way in which text gets into a record: JSON in which no character can start a new line,
//! a terminal sequence or a change of writing direction, whoever reads the line with what tool.

use std::io::{self, Write};

use bytes::{BufMut as _, BytesMut};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::redact::is_unsafe;

/// serde escapes what JSON demands (RFC 8259 §7); the rest that is unsafe is written as `\u…` here.
struct SafeFormatter;

impl Formatter for SafeFormatter {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            CompactFormatter.write_string_fragment(writer, rest.get(..at).unwrap_or_default())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = rest.get(at.saturating_add(c.len_utf8())..).unwrap_or_default();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

/// Appends `value` and a line feed; on an error nothing is appended.
pub(super) fn push_line(out: &mut BytesMut, value: &impl Serialize) -> Result<(), serde_json::Error> {
    let before = out.len();
    let written = value.serialize(&mut Serializer::with_formatter(out.writer(), SafeFormatter));
    match written {
        Ok(()) => out.put_u8(b'\n'),
        Err(_) => out.truncate(before),
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_can_break_out_of_the_line() {
        let nasty = "a\n\r\u{1b}[2J\u{7f}\u{85}\u{2028}\u{2029}\u{202e}\u{2066}\u{e0041}\"\\ü😀";
        let mut out = BytesMut::new();
        push_line(&mut out, &nasty).unwrap();
        let line = std::str::from_utf8(&out).unwrap().strip_suffix('\n').unwrap();
        assert!(!line.chars().any(is_unsafe), "{line:?}");
        assert!(line.contains("ü😀") && line.contains("\\udb40\\udc41"), "{line}");
        assert_eq!(serde_json::from_str::<String>(line).unwrap(), nasty);
    }
}
