//! One conf.d file: what it wants, and what is done so that its dest is like that.

pub mod command;
pub mod stage;
