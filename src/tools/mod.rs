//! The inspection tools: one module each, and the console output that they share.
//!
//! A tool reads what the agent reads and prints what it finds; it changes nothing on the machine.

pub mod console;
pub mod diff;
pub mod doctor;
pub mod dump;
pub mod finding;
pub mod functions;
pub mod get;
pub mod lint;
pub mod looks;
pub mod preview;
pub mod rehearse;
pub mod render;
pub mod status;
