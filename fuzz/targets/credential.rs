//! Machine tokens, their encryption keys, and the settings of the provider.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| provider_runbeam::fuzzing::credential(bytes));
