//! Mesh tokens with local keys.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| provider_local::fuzzing::token(bytes));
