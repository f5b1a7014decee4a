//! What the fuzz target calls, and the test that replays what it has found. No part of the contract.

use crate::Reference;

/// A reference in any bytes: refused, or one whose canonical form is the same reference.
pub fn reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<Reference>() {
        Ok(reference) => assert_eq!(reference.to_string().parse(), Ok(reference)),
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_the_fuzzer_kept_is_survived() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/reference");
        let inputs: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!inputs.is_empty());
        inputs.iter().for_each(|input| super::reference(&std::fs::read(input).unwrap()));
    }
}
