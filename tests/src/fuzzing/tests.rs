//! The replay of the corpus.

use std::fs;

fn replay(target: &str, entry: fn(&[u8])) {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/").to_owned() + target;
    let inputs: Vec<_> = fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!inputs.is_empty());
    for input in inputs {
        println!("{}", input.display());
        entry(&fs::read(input).unwrap());
    }
}

#[test]
fn requests_are_replayed() {
    replay("request", super::request);
}

#[test]
fn answers_are_replayed() {
    replay("answer", super::answer);
}

#[test]
fn rounds_are_replayed() {
    replay("round", super::round);
}
