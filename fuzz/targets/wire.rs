//! What the control plane answers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| provider_runbeam::fuzzing::wire(bytes));
