//! Responses of backends, read as hyper reads them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harmony_host::fuzzing::response(bytes));
