use std::fmt;

/// Which algorithm, which layout of its state, and which parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AlgorithmId {
    name: &'static str,
    version: u16,
    layout: u128,
    parameters: u64,
}

impl AlgorithmId {
    /// An id. `name` must be unique (put your own name before it); raise `version` whenever the
    /// meaning of the state's words changes.
    pub const fn new(name: &'static str, version: u16, parameters: &[u64]) -> Self {
        let layout = fold(fold(OFFSET, name.as_bytes()), &version.to_le_bytes());
        // An odd number without pattern, so that all of the 128 bits differ from layout to layout.
        let layout = (layout as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        Self { name, version, layout, parameters: fingerprint(parameters) }
    }

    /// The unique name.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The version of the state's layout.
    pub const fn version(self) -> u16 {
        self.version
    }

    /// A fingerprint of name and version.
    pub(crate) const fn layout(self) -> u128 {
        self.layout
    }

    /// A fingerprint of the parameters, the same on every machine (FNV-1a); not for keys that an
    /// attacker chooses.
    pub const fn parameters(self) -> u64 {
        self.parameters
    }
}

impl fmt::Display for AlgorithmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.version)
    }
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

const fn fingerprint(mut words: &[u64]) -> u64 {
    let mut hash = OFFSET;
    while let [word, rest @ ..] = words {
        hash = fold(hash, &word.to_le_bytes());
        words = rest;
    }
    hash
}

const fn fold(mut hash: u64, mut bytes: &[u8]) -> u64 {
    while let [byte, tail @ ..] = bytes {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
        bytes = tail;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_pinned() {
        assert_eq!(AlgorithmId::new("a", 1, &[]).parameters(), 0xcbf2_9ce4_8422_2325);
        assert_ne!(AlgorithmId::new("a", 1, &[1, 2]), AlgorithmId::new("a", 1, &[2, 1]));
        assert_eq!(AlgorithmId::new("a", 1, &[1]).to_string(), "a/1");
    }
}
