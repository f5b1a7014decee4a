//! Tests of import cycles.

use super::lines;

const ROOT: (&str, &str) = ("lib.rs", "mod a;\nmod b;\nmod c;");

fn cycles(a: &str, b: &str, c: &str) -> Vec<String> {
    lines(None, &[ROOT, ("a.rs", a), ("b.rs", b), ("c.rs", c)])
}

#[test]
fn of_two_files() {
    let found =
        cycles("use crate::b::{B, C};\npub struct A;", "pub struct B(super::a::A);\npub struct C;", "");
    assert_eq!(
        found,
        ["an import cycle of 2 files:\n    a.rs imports b.rs (B, C)\n    b.rs imports a.rs (A)"]
    );
}

#[test]
fn of_three_files() {
    let found = cycles(
        "use crate::b::B;\npub struct A;",
        "use crate::c::C;\npub struct B;",
        "pub fn c() { vec![crate::a::A]; }\npub struct C;",
    );
    let expected = "an import cycle of 3 files:\n    a.rs imports b.rs (B)\n    b.rs imports c.rs (C)\n    \
                    c.rs imports a.rs (A)";
    assert_eq!(found, [expected]);
}

#[test]
fn no_cycle() {
    let found = cycles("use crate::{b::B, c::C};", "pub struct B(crate::c::C);", "pub struct C;");
    assert_eq!(found, [] as [String; 0]);
}

#[test]
fn only_for_tests() {
    let tests = "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n";
    for b in [
        tests.to_owned(),
        tests.replace("test)", "all(test, unix))"),
        "#[cfg(test)]\nuse crate::a::A;".to_owned(),
        "struct S;\nimpl S {\n    #[cfg(test)]\n    fn f(_: crate::a::A) {}\n}".to_owned(),
        "fn f() {\n    #[cfg(test)]\n    let a = crate::a::A;\n}".to_owned(),
        "#[test]\nfn f() { crate::a::A; }".to_owned(),
    ] {
        let found = cycles("use crate::b::B;\npub struct A;", &format!("pub struct B;\n{b}"), "");
        assert_eq!(found, [] as [String; 0], "{b}");
    }
}

#[test]
fn not_only_for_tests() {
    for condition in ["any(test, feature = \"fuzzing\")", "not(test)", "feature = \"test\""] {
        let b = format!("pub struct B;\n#[cfg({condition})]\nuse crate::a::A;");
        assert_eq!(cycles("use crate::b::B;\npub struct A;", &b, "").len(), 1, "{condition}");
    }
}

/// The file of a folder that declares and re-exports the folder's modules imports none of them.
#[test]
fn of_a_folder_and_its_file() {
    let folder = |text: &str| {
        let file = ("a/inner.rs", "use super::Outer;\npub struct Inner;");
        lines(None, &[("lib.rs", "mod a;"), ("a.rs", text), file])
    };
    assert_eq!(folder("mod inner;\npub use inner::Inner;\npub struct Outer;"), [] as [String; 0]);
    let expected = "an import cycle of 2 files:\n    a.rs imports a/inner.rs (Inner)\n    a/inner.rs imports a.rs (Outer)";
    assert_eq!(folder("mod inner;\nuse inner::Inner;\npub struct Outer;"), [expected]);
    assert_eq!(folder("mod inner;\npub struct Outer(inner::Inner);"), [expected]);
    assert_eq!(folder("mod inner;\npub use inner::Inner;\npub struct Outer(Inner);"), [expected]);
}

#[test]
fn of_siblings_through_their_parent() {
    let found = lines(
        None,
        &[
            ("lib.rs", "mod a;"),
            ("a.rs", "mod one;\nmod two;\npub use one::One;\npub use two::Two;"),
            ("a/one.rs", "use super::Two;\npub struct One;"),
            ("a/two.rs", "use super::One;\npub struct Two;"),
        ],
    );
    let expected = "an import cycle of 2 files:\n    a/one.rs imports a/two.rs (Two)\n    a/two.rs imports a/one.rs (One)";
    assert_eq!(found, [expected]);
}

/// Two `use` declarations that name each other do not compile, but the check must terminate.
#[test]
fn of_re_exports_ends() {
    let found = cycles("pub use crate::b::X;", "pub use crate::a::X;", "use crate::a::X;");
    assert_eq!(found.len(), 1, "{found:?}");
    let found = cycles("pub use crate::b::*;", "pub use crate::a::*;", "use crate::a::X;");
    assert_eq!(found.len(), 1, "{found:?}");
}
