//! Tests of folders that are not in the order, and of files that no `mod` declares.

use super::super::doc_lines::documented;
use super::{LOW_HIGH, lines, report};

#[test]
fn not_in_the_order() {
    let found = lines(
        Some(&LOW_HIGH),
        &[
            ("lib.rs", "mod low;\nmod high;\nmod new;"),
            ("low.rs", "use crate::new::thing::Thing;"),
            ("high.rs", ""),
            ("new.rs", "pub mod thing;"),
            ("new/thing.rs", "use crate::high;\npub struct Thing;"),
        ],
    );
    assert_eq!(found, ["new is not in the order of folders: place it in tests/src/layers/order.rs"]);
}

#[test]
fn in_the_order_and_missing() {
    let found = lines(Some(&LOW_HIGH), &[("lib.rs", "mod low;"), ("low.rs", "")]);
    assert_eq!(found, ["high does not exist, and the order in tests/src/layers/order.rs names it"]);
}

#[test]
fn declared_by_nothing() {
    let found = lines(None, &[("lib.rs", "mod a;"), ("a.rs", ""), ("a/b.rs", "")]);
    assert_eq!(found, ["a/b.rs is declared by no `mod`, so it is not checked"]);
}

#[test]
fn counts() {
    let files = [("lib.rs", "mod a;\nmod b;"), ("a.rs", "use crate::b::{B, C};"), ("b.rs", "")];
    let report = report(None, &files).unwrap();
    assert_eq!((report.files, report.imports), (3, 1));
}

#[test]
fn a_library_and_a_program() {
    let files = [("lib.rs", "mod a;"), ("main.rs", "mod b;\nuse b::B;"), ("a.rs", ""), ("b.rs", "")];
    let report = report(None, &files).unwrap();
    assert_eq!((report.files, report.imports, report.violations.len()), (4, 1, 0));
}

#[test]
fn sources_that_cannot_be_read() {
    let message = |files: &[(&str, &str)]| report(None, files).unwrap_err().to_string();
    assert!(message(&[("a.rs", "")]).contains("neither lib.rs nor main.rs"));
    assert!(message(&[("lib.rs", "fn {")]).contains("is not Rust"));
    let missing = message(&[("lib.rs", "mod a;")]);
    assert!(
        missing.contains("small/src/lib.rs declares a module") && missing.contains("a.rs does not exist")
    );
    assert!(message(&[("lib.rs", "#[path = \"b.rs\"]\nmod a;")]).contains("a #[path]"));
}

#[test]
fn first_lines() {
    assert!(documented("//! A file.\n"));
    assert!(documented("#![doc = include_str!(\"../README.md\")]\n"));
    assert!(!documented("/// An item.\n"));
    assert!(!documented("use std::io;\n//! Late.\n"));
    assert!(!documented(""));
}
