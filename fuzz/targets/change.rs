//! Changes of the control plane, as files that would be written.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harmony_host::fuzzing::change(bytes));
