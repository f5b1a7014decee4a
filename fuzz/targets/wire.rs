//! Responses of the control plane.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| provider_runbeam::fuzzing::wire(bytes));
