//! The order of harmony-host itself, on a generated crate.

use super::super::order::HARMONY_HOST;
use super::lines;

/// Returns the files of a crate with every folder of the order. Each imports from the folders for which `imports` is true.
fn files(imports: impl Fn(usize, usize) -> bool) -> Vec<(String, String)> {
    let folders = HARMONY_HOST.folders;
    let root = folders.iter().map(|folder| format!("mod {folder};\n")).collect();
    let mut files = vec![("lib.rs".to_owned(), root)];
    for (at, folder) in folders.iter().enumerate() {
        let others = folders.iter().enumerate().filter(|(other, _)| *other != at && imports(at, *other));
        let uses: String =
            others.map(|(_, other)| format!("use crate::{other}::Thing as Of_{other};\n")).collect();
        files.push((format!("{folder}.rs"), "mod thing;\npub(crate) use thing::Thing;".to_owned()));
        files.push((format!("{folder}/thing.rs"), format!("{uses}pub(crate) struct Thing;")));
    }
    files
}

fn found(files: &[(String, String)]) -> Vec<String> {
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    lines(Some(&HARMONY_HOST), &files)
}

#[test]
fn every_import_upwards_fails() {
    let found = found(&files(|low, high| low < high));
    let folders = HARMONY_HOST.folders;
    for (at, low) in folders.iter().enumerate() {
        for high in &folders[at + 1..] {
            let line = format!("{low}/thing.rs imports {high}/thing.rs (Thing), which is in a higher layer");
            assert!(found.contains(&line), "{line}");
        }
    }
    assert_eq!(found.len(), folders.len() * (folders.len() - 1) / 2);
}

#[test]
fn every_import_downwards_is_fine() {
    assert_eq!(found(&files(|high, low| high > low)), [] as [String; 0]);
}
