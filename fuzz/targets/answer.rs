//! Responses of backends, through the proxy to a client.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harmony_tests::fuzzing::answer(bytes));
