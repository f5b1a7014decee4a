//! Tests of the check on small crates with and without violations.

mod cycle;
mod every_pair;
mod folders;
mod leave_out;
mod tokens;
mod upward;

use super::check::check_crate;
use super::error::Error;
use super::order::Order;
use super::report::Report;
use crate::workdir::Workdir;

/// An order of two folders, and a third one that need not exist.
const LOW_HIGH: Order = Order { folders: &["low", "high", "later"], pending: &["later"] };

/// Checks a crate named `small` with these files below `src`.
fn report(order: Option<&Order>, files: &[(&str, &str)]) -> Result<Report, Error> {
    let dir = Workdir::new();
    files.iter().for_each(|(name, text)| dir.write(&format!("small/src/{name}"), text));
    let mut report = Report::default();
    check_crate(dir.path(), "small", order, &mut report).map(|()| report)
}

/// Returns the lines that the check prints of such a crate.
fn lines(order: Option<&Order>, files: &[(&str, &str)]) -> Vec<String> {
    let report = report(order, files).unwrap();
    report.violations.iter().map(|violation| violation.to_string().replace("small/src/", "")).collect()
}

/// Checks a crate of the folders `low` and `high`. `low/item.rs` has the text `low`, `high.rs` re-exports `High` of
/// `high/item.rs`, and `high/item.rs` also contains `more`.
fn low_high(low: &str, more: &str) -> Vec<String> {
    let high = format!("pub(crate) struct High;\nimpl High {{ pub(crate) const ONE: u8 = 1; }}\n{more}");
    lines(
        Some(&LOW_HIGH),
        &[
            ("lib.rs", "mod low;\nmod high;\npub use low::item::Low;"),
            ("low.rs", "pub(crate) mod item;"),
            ("low/item.rs", low),
            ("high.rs", "pub(crate) mod item;\npub(crate) use item::High;"),
            ("high/item.rs", &high),
        ],
    )
}
