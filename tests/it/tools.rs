//! The tools that look at the work of the agent instead of doing it.

mod dump;
mod image;
