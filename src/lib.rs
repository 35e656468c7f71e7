//! The modules of `confd`, for its `main`, tests, fuzz targets and benchmarks. Not a public API.
//!
//! One change of the metadata takes this path: [`backend`] fetches a [`tree`]; [`agent`] decides
//! which resources are due; [`resource`] renders each of them with [`template`], stages what
//! differs from the file on disk, swaps it and runs its reload command. [`tools`] inspect the same
//! steps and change nothing. `docs/architecture.md` has the whole story.
//!
//! Modules use each other in one direction: cli, config, then agent and tools, then backend and
//! resource, then tree and template, then [`go`]. [`platform`], [`log`] and [`error`] are below all
//! of them.

pub mod agent;
pub mod backend;
pub mod cli;
pub mod cmd_info;
pub mod config;
pub mod error;
pub mod go;
pub mod keys;
pub mod log;
mod lookalike;
mod nearest;
mod net;
pub mod platform;
mod random;
pub mod resource;
pub mod template;
mod threads;
pub mod tools;
pub mod tree;
pub mod version;
