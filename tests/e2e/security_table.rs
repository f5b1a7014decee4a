//! The page about security: its limits are those of the sources, and the files that it names exist.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    fs::read_to_string(root().join("docs/SECURITY.md")).unwrap()
}

/// Returns the value of a constant, with single spaces.
fn declared(source: &str, name: &str) -> Option<String> {
    let source: String = source.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, declaration) = source.split_once(&format!("const {name}: "))?;
    let (_, value) = declaration.split_once(" = ")?;
    Some(value.split_once(';')?.0.to_owned())
}

#[test]
fn limits_are_those_of_the_sources() {
    let page = page();
    let rows: Vec<&str> = page.lines().filter(|line| line.contains(".rs` `")).collect();
    assert!(rows.len() > 40, "{} limits", rows.len());
    for row in rows {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let (file, constant) = cell.trim_matches('`').split_once("` `").unwrap();
        let (name, value) = constant.split_once(" = ").unwrap();
        let source = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(
            declared(&source, name).as_deref(),
            Some(value),
            "{file}: {name}; change docs/SECURITY.md too"
        );
    }
}

#[test]
fn named_files_exist() {
    let page = page();
    let quoted = page.split('`').skip(1).step_by(2);
    let named: Vec<&str> = quoted.filter(|text| text.contains("tests/")).collect();
    assert!(!named.is_empty());
    for name in named {
        assert!(root().join(name).exists(), "docs/SECURITY.md names {name}, which does not exist");
    }
}
