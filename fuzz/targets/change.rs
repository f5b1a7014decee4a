//! Changes of the control plane: the files that they would write.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harmony_host::fuzzing::change(bytes));
