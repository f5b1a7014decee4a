//! Machine tokens, their keys, and the section that configures the provider.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| provider_runbeam::fuzzing::credential(bytes));
