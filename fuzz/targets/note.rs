//! Notes of the journal.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harmony_host::fuzzing::note(bytes));
