//! The entry point of the fuzz target, and the test that replays its corpus. Not part of the contract.

use crate::Reference;

/// Parses any bytes as a reference. Panics when its canonical form does not parse to an equal reference.
pub fn reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<Reference>() {
        Ok(reference) => assert_eq!(reference.to_string().parse(), Ok(reference)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_fuzz_corpus_causes_no_panic() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/reference");
        let inputs: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!inputs.is_empty());
        inputs.iter().for_each(|input| super::reference(&std::fs::read(input).unwrap()));
    }
}
