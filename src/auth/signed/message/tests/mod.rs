mod base;
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
mod vectors;
