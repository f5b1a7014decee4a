//! Tests of excluding the files that only tests use.

use super::report;

#[test]
fn files_of_tests() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n#[cfg(test)]\nmod tests;"),
        ("a.rs", "#[cfg(test)]\nmod tests {\n    mod deep;\n}"),
        ("a/tests/deep.rs", "use crate::b::B;"),
        ("b.rs", "#[cfg(test)]\nmod model;\nuse crate::a::A;"),
        ("b/model.rs", "mod case;\nuse super::*;"),
        ("b/model/case.rs", "not Rust at all"),
        ("tests.rs", "use crate::a;"),
    ];
    let report = report(None, &files).unwrap();
    assert_eq!((report.files, report.imports), (3, 1));
    assert!(report.violations.is_empty(), "{:?}", report.violations);
}

#[test]
fn a_file_with_an_inner_attribute() {
    let files = [
        ("lib.rs", "mod a;\nmod b;"),
        ("a.rs", "#![cfg(test)]\nuse crate::b::B;"),
        ("b.rs", "use crate::a::A;"),
    ];
    let report = report(None, &files).unwrap();
    assert_eq!(report.files, 2);
    assert!(report.violations.is_empty(), "{:?}", report.violations);
}
