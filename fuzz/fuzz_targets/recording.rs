#![no_main]
//! See the function of this name.

libfuzzer_sys::fuzz_target!(|data: &[u8]| app_agent_fuzz::targets::recording(data));
