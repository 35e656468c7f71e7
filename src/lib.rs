//! The rooms of `confd`, for its `main`, its fuzz targets and its benchmarks. Nothing here is a public API.
//!
//! Modules use each other in one direction only: cli -> config -> agent -> backend -> tree, and
//! agent -> resource -> funcs -> template, agent -> resource -> stage -> command.

pub mod agent;
pub mod backend;
pub mod cli;
pub mod config;
pub mod errand;
pub mod error;
pub mod go;
pub mod keys;
pub mod log;
pub mod nearest;
pub mod net;
pub mod platform;
pub mod random;
pub mod resource;
pub mod template;
pub mod threads;
pub mod tools;
pub mod tree;
