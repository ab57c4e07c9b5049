//! Authorization: what the caller may do.
