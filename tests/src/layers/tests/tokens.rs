//! Tests of the paths in tokens.

use super::super::token_paths::token_paths;

fn paths(text: &str) -> Vec<String> {
    token_paths(text.parse().unwrap()).into_iter().map(|path| path.join("::")).collect()
}

#[test]
fn paths_and_single_names() {
    assert_eq!(paths("a::B::C { x: d::e(F) }, g"), ["a::B::C", "x", "d::e", "F", "g"]);
    assert_eq!(paths("$crate::a::b!($name, $c::D)"), ["crate::a::b"]);
}

#[test]
fn names_that_begin_no_path() {
    assert_eq!(paths("a.b.c()"), ["a"]);
    assert_eq!(paths("'a: loop"), ["loop"]);
    assert_eq!(paths("::std::fmt::Debug"), [] as [&str; 0]);
    assert_eq!(paths("Vec::<a::B>::new()"), ["Vec", "a::B"]);
}

#[test]
fn ranges() {
    assert_eq!(paths("0..a::B"), ["a::B"]);
}

#[test]
fn braces_of_a_use() {
    assert_eq!(paths("use a::{b::C as D, e::{self, F}};"), ["use", "a::b::C", "a::e", "a::e::F"]);
}
