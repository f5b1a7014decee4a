//! Key files of local meshes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| provider_local::fuzzing::key(bytes));
