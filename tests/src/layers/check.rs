//! The entry point of the check, which checks the crates of this workspace one after the other.

use std::path::Path;

use super::crate_tree::CrateTree;
use super::cycles::cycles;
use super::error::Error;
use super::imports::Imports;
use super::loader::load;
use super::order::{HARMONY_HOST, Order};
use super::report::{Report, Violation};
use super::upwards::{unplaced, upwards};

/// The crates whose sources are checked, each with the order of its folders, if it has one.
const CRATES: [(&str, Option<&Order>); 4] = [
    ("provider-api", None),
    ("provider-local", None),
    ("provider-runbeam", None),
    ("harmony-host", Some(&HARMONY_HOST)),
];

/// Checks the crates of the workspace whose directory is `root`.
///
/// # Errors
/// A source cannot be read or parsed, or a `mod x;` has no file.
pub fn check(root: &Path) -> Result<Report, Error> {
    let mut report = Report::default();
    for (name, order) in CRATES {
        check_crate(root, name, order, &mut report)?;
    }
    Ok(report)
}

/// Checks the crate in `root/name` and adds the violations to the report.
pub(super) fn check_crate(
    root: &Path,
    name: &str,
    order: Option<&Order>,
    report: &mut Report,
) -> Result<(), Error> {
    let tree: CrateTree = load(root, name)?;
    let mut imports = Imports::of(&tree);
    report.files += tree.file_count();
    report.imports += imports.count();
    report.violations.extend(tree.strays().map(|file| Violation::Stray { file: file.to_owned() }));
    if let Some(order) = order {
        report.violations.extend(unplaced(&tree, order));
        let broken = upwards(&tree, &imports, order);
        report.violations.extend(broken.iter().map(|import| import.violation(&tree, &imports)));
        // Every cycle through several folders has an import from a higher layer, which is reported already. Without
        // these imports, only cycles within one folder remain, which are small enough to read.
        broken.iter().for_each(|import| imports.remove(import.pair));
    }
    report.violations.extend(cycles(&tree, &imports));
    Ok(())
}
