//! The configuration: from bytes to a snapshot.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harmony_host::fuzzing::configuration(bytes));
