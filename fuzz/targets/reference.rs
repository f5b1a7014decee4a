//! The syntax of references.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| provider_api::fuzzing::reference(bytes));
