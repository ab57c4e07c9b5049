//! The record of every request.
