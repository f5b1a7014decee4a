//! The documents about metrics: current, and only about metrics that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harmony_tests::binary;
use serde_json::Value;

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(docs(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names in the reference, with those of the series of histograms.
fn known() -> BTreeSet<String> {
    let reference = read("METRICS.md");
    let mut names = BTreeSet::new();
    for row in
        reference.lines().filter(|line| line.starts_with("| `harmony_") || line.starts_with("| `process_"))
    {
        let name = row.split('`').nth(1).unwrap();
        let is_histogram = row.contains("| histogram |");
        let suffixes: &[&str] = if is_histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
        names.extend(suffixes.iter().map(|suffix| format!("{name}{suffix}")));
    }
    assert!(names.len() > 40, "{names:?}");
    names
}

/// The names of metrics in an expression.
fn named(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("harmony_") || word.starts_with("process_"))
}

fn assert_known(expression: &str, known: &BTreeSet<String>, place: &str) {
    for name in named(expression) {
        assert!(known.contains(name), "{place}: {name} is no metric");
    }
}

#[test]
fn the_reference_is_current() {
    let output = Command::new(binary()).arg("metrics-reference").output().unwrap();
    let written = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(
        written == read("METRICS.md"),
        "docs/METRICS.md is not current: harmony-host metrics-reference > docs/METRICS.md"
    );
}

#[test]
fn alerts_name_metrics() {
    let (alerts, known) = (read("alerts.yml"), known());
    let mut rules = 0;
    for rule in alerts.split("- alert: ").skip(1) {
        let name = rule.lines().next().unwrap();
        let (_, expression) = rule.split_once("expr: ").unwrap_or_else(|| panic!("{name} has no expression"));
        let expression =
            expression.split_once("labels: {").unwrap_or_else(|| panic!("{name} has no severity")).0;
        let is_about_metrics = named(expression).next().is_some() || expression.contains("up{");
        assert!(is_about_metrics, "{name}: {expression}");
        assert_known(expression, &known, name);
        assert!(rule.contains("summary: "), "{name}");
        rules += 1;
    }
    assert!(rules > 15, "{rules}");
    match Command::new("promtool").args(["check", "rules"]).arg(docs("alerts.yml")).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => assert!(std::env::var_os("HARMONY_TEST_SERVERS").is_none(), "promtool is not installed"),
    }
}

#[test]
fn the_dashboard_names_metrics() {
    let dashboard: Value = serde_json::from_str(&read("grafana.json")).unwrap();
    let known = known();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut used = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "an id is there twice: {panel}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            assert!(named(expression).next().is_some(), "{expression}");
            assert_known(expression, &known, panel["title"].as_str().unwrap());
            used.extend(named(expression).map(str::to_owned));
        }
    }
    assert!(used.len() > 25, "{used:?}");
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        assert_known(variable["query"].as_str().unwrap(), &known, "a variable");
    }
}
