//! Authentication: who is calling.

pub mod jwt;
