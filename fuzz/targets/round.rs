//! Answers of a control plane, through a round of the sync.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harmony_tests::fuzzing::round(bytes));
