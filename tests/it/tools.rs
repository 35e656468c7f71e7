//! The tools that look at the work of the agent instead of doing it.

mod chapter;
mod commands;
mod cures;
mod diff;
mod doctor;
mod dump;
mod functions;
mod image;
mod lint;
mod lint_more;
mod preview;
mod rehearse;
mod render;
mod status;
mod terminal;
mod tutorial;
