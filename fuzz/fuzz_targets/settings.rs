//! Any text as a settings file and as a command line.
#![no_main]

use std::ffi::OsString;
use std::path::Path;

use app_agent::{cli, settings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    let _ = settings::Table::parse(Path::new("x.toml"), data);
    let _ = settings::parse_duration(data);
    let _ = cli::parse(data.split('\0').map(OsString::from));
});
