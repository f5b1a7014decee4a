//! Requests of clients, through the proxy to a backend.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harmony_tests::fuzzing::request(bytes));
