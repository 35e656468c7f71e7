//! The parts of Go's standard library that templates make visible, one implementation each.
//!
//! Uses nothing else of the crate: numbers, strings and bytes in, the same out.

pub mod escape;
pub mod filepath;
pub mod hex;
pub mod path;
pub mod regexp;
pub mod strconv;
pub mod time;
pub mod unicode;
pub mod utf8;
