//! Tests of imports from a higher layer, for every syntax that names an item.

use super::{LOW_HIGH, lines, low_high};

const UPWARDS: &str = "low/item.rs imports high/item.rs (High), which is in a higher layer";

fn is_found(low: &str) {
    assert_eq!(low_high(low, ""), [UPWARDS], "{low}");
}

#[test]
fn by_use() {
    is_found("use crate::high::item::High;");
    is_found("use crate::{high::{item::{High as Other}}};");
    is_found("fn f() { use crate::high::item::High; }");
}

#[test]
fn by_a_path_in_code() {
    is_found("const N: u8 = crate::high::item::High::ONE;");
    is_found("struct S(Option<crate::high::item::High>);");
    is_found("fn f<T>(_: T) where T: Into<crate::high::item::High> {}");
    is_found("fn f() { let crate::high::item::High = g(); }");
    is_found("fn f() { Vec::<crate::high::item::High>::new(); }");
}

#[test]
fn by_super_and_self() {
    is_found("use super::super::high::item::High;");
    is_found("const N: u8 = super::super::high::item::High::ONE;");
    is_found("mod inner { const N: u8 = super::super::super::high::item::High::ONE; }");
    is_found("use self::inner::High;\nmod inner { pub(super) use crate::high::item::High; }");
}

#[test]
fn through_a_re_export() {
    is_found("use crate::high::High;");
    is_found("const N: u8 = crate::high::High::ONE;");
}

#[test]
fn through_an_alias_of_a_module() {
    let found = low_high("use crate::high as other;\nfn f() -> other::High { todo!() }", "");
    assert_eq!(
        found,
        ["low/item.rs imports high.rs (the module high), which is in a higher layer", UPWARDS]
            .map(str::to_owned)
    );
}

#[test]
fn through_a_glob() {
    let found = low_high("use crate::high::*;\nfn f(_: High) {}", "");
    assert_eq!(
        found,
        ["low/item.rs imports high.rs (the module high), which is in a higher layer", UPWARDS]
            .map(str::to_owned)
    );
}

#[test]
fn in_a_macro() {
    is_found("fn f() { assert_eq!(crate::high::High::ONE, 1); }");
    is_found("fn f() { vec![Some((1, [crate::high::item::High]))]; }");
    is_found("made! { use crate::high::{High as Other}; }");
    is_found("macro_rules! one { () => { $crate::high::High::ONE }; }");
    is_found("#[macro_export] macro_rules! one { () => { $crate::high::High::ONE }; }");
}

#[test]
fn by_a_re_export_of_another_folder() {
    is_found("pub(crate) use crate::high::High;");
}

#[test]
fn the_name_of_a_macro() {
    let found = low_high("crate::shown!();", "#[macro_export] macro_rules! shown { () => {}; }");
    assert_eq!(found, ["low/item.rs imports high/item.rs (shown), which is in a higher layer"]);
}

#[test]
fn a_name_that_nothing_defines() {
    let found = low_high("use crate::high::item::Made;", "made!(Made);");
    assert_eq!(found, ["low/item.rs imports high/item.rs (Made), which is in a higher layer"]);
    let found =
        low_high("use crate::high::Passed;\nuse crate::high::item::Error;", "pub use std::io::Error;");
    let expected = [
        "low/item.rs imports high.rs (Passed), which is in a higher layer",
        "low/item.rs imports high/item.rs (Error), which is in a higher layer",
    ];
    assert_eq!(found, expected);
}

#[test]
fn downwards_is_fine() {
    let low = "pub struct Low;\nimpl Low { pub(crate) const ONE: u8 = 1; }";
    for high in [
        "use crate::low::item::Low;",
        "const N: u8 = crate::Low::ONE;",
        "use super::super::low::item;\nfn f(_: item::Low) {}",
        "fn f() { assert_eq!(crate::low::item::Low::ONE, 1); }",
    ] {
        assert_eq!(low_high(low, high), [] as [String; 0], "{high}");
    }
}

/// Comments, other crates, and tokens that only look like a path.
#[test]
fn mentions_that_are_no_imports() {
    for low in [
        "/// See [`High`](crate::high::High).\nstruct S;",
        "pub(in crate::low) struct S;",
        "use high::High;\nfn f() { ::high::High::new(); }",
        "fn f(high: u8) -> u8 { g!(high, self.high, a.high::<u8>(), 'high); high }",
        "#[macro_export] macro_rules! there { () => { super::super::high::High }; }",
    ] {
        assert_eq!(low_high(low, ""), [] as [String; 0], "{low}");
    }
}

/// A cycle through folders is reported once, by the import that violates the order.
#[test]
fn upwards_in_a_cycle() {
    let found = low_high("use crate::high::High;\npub struct Low;", "use crate::low::item::Low;");
    assert_eq!(found, [UPWARDS]);
}

#[test]
fn no_file_imports_from_a_file_without_folder() {
    let found = lines(
        Some(&LOW_HIGH),
        &[
            ("lib.rs", "mod low;\nmod high;\nmod fuzzing;\npub struct Root;"),
            ("low.rs", "mod item;"),
            ("low/item.rs", "use crate::Root;"),
            ("high.rs", "use crate::fuzzing::target;"),
            ("fuzzing.rs", "use crate::high;\npub fn target() {}"),
        ],
    );
    let expected = [
        "low/item.rs imports lib.rs (Root), which is in no folder: no file may import from it",
        "high.rs imports fuzzing.rs (target), which is in no folder: no file may import from it",
    ];
    assert_eq!(found, expected);
}
