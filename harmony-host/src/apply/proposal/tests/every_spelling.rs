//! Merging documents in every spelling that TOML has for their values.

use std::fmt::Write as _;

use proptest::prelude::*;
use toml::{Table, Value};

use super::merged;

/// Choices of a spelling, used one after the other.
struct Choices(Vec<u8>, usize);

impl Choices {
    fn next(&mut self, of: u8) -> u8 {
        self.1 += 1;
        self.0.get(self.1 % self.0.len().max(1)).copied().unwrap_or_default() % of
    }
}

/// Writes a table: values first, then the tables that get a header.
fn write(table: &Table, path: &str, choices: &mut Choices, out: &mut String) {
    let mut behind = Vec::new();
    for (name, value) in table {
        let key = if choices.next(3) == 0 { format!("\"{name}\"") } else { name.clone() };
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value {
            Value::Table(inner) if choices.next(3) > 0 => match dotted(inner, &key) {
                Some(lines) if !lines.is_empty() && choices.next(2) == 0 => out.push_str(&lines),
                _ => behind.push((full, value)),
            },
            Value::Array(all)
                if !all.is_empty() && all.iter().all(Value::is_table) && choices.next(3) > 0 =>
            {
                behind.push((full, value));
            }
            other => writeln!(out, "{key} = {}", inline(other)).unwrap(),
        }
    }
    for (full, value) in behind {
        match value {
            Value::Table(inner) => {
                let implicit =
                    !inner.is_empty() && inner.values().all(Value::is_table) && choices.next(2) == 0;
                if implicit {
                    // Only the headers of the tables inside name this one.
                    for (name, value) in inner {
                        let Value::Table(inner) = value else { unreachable!("only tables") };
                        writeln!(out, "[{full}.{name}]").unwrap();
                        write(inner, &format!("{full}.{name}"), choices, out);
                    }
                } else {
                    writeln!(out, "[{full}] # comment").unwrap();
                    write(inner, &full, choices, out);
                }
            }
            Value::Array(all) => {
                for element in all {
                    let Value::Table(inner) = element else { unreachable!("only tables") };
                    writeln!(out, "[[{full}]]").unwrap();
                    write(inner, &full, choices, out);
                }
            }
            _ => unreachable!("only tables are behind"),
        }
    }
}

/// Writes a table with dotted keys, if it consists of values only.
fn dotted(table: &Table, path: &str) -> Option<String> {
    let mut out = String::new();
    for (name, value) in table {
        if value.is_table() {
            return None;
        }
        writeln!(out, "{path}.{name} = {}", inline(value)).unwrap();
    }
    Some(out)
}

fn inline(value: &Value) -> String {
    match value {
        Value::Table(table) => {
            let all: Vec<String> =
                table.iter().map(|(name, value)| format!("{name} = {}", inline(value))).collect();
            format!("{{ {} }}", all.join(", "))
        }
        Value::Array(all) => format!("[{}]", all.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::String(text) => toml_edit::Value::from(text.as_str()).to_string(),
        Value::Integer(number) => number.to_string(),
        other => other.as_bool().is_some_and(|flag| flag).to_string(),
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i8>().prop_map(|n| Value::Integer(n.into())),
        any::<bool>().prop_map(Value::Boolean),
        "[a-z#\\[\\]=. \"$]{0,6}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            table(inner.clone()).prop_map(Value::Table),
            prop::collection::vec(table(inner), 1..4)
                .prop_map(|all| Value::Array(all.into_iter().map(Value::Table).collect())),
        ]
    })
}

fn table(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Table> {
    prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|all| all.into_iter().collect())
}

/// Sections that are not of the gateway: it keeps them, and a change may set them.
fn sections() -> impl Strategy<Value = Table> {
    let names = prop_oneof![Just("rules"), Just("storage"), Just("logging"), Just("templates"), Just("x")];
    prop::collection::btree_map(names.prop_map(str::to_owned), value(), 0..5)
        .prop_map(|all| all.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// A change is never refused for its spelling, and the merged document has the values of the change for its
    /// sections, and those of before for all others.
    #[test]
    fn merged_document_means_what_was_brought(
        own in sections(),
        change in sections(),
        spelling in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let mut choices = Choices(spelling, 0);
        let mut before = own.clone();
        before.insert("proxy".to_owned(), Table::from_iter([("id".to_owned(), Value::from("a"))]).into());
        let (mut own_text, mut change_text) = (String::new(), String::new());
        write(&before, "", &mut choices, &mut own_text);
        write(&change, "", &mut choices, &mut change_text);
        prop_assert_eq!(&toml::from_str::<Table>(&own_text).unwrap(), &before, "the generator writes {}", own_text);
        prop_assert_eq!(&toml::from_str::<Table>(&change_text).unwrap(), &change, "{}", change_text);
        let mut expected = before;
        expected.extend(change);
        let written = merged(&own_text, &change_text);
        prop_assert_eq!(toml::from_str::<Table>(&written).unwrap(), expected, "{}\n<-\n{}\n=\n{}", own_text, change_text, written);
    }
}

/// An element of an array of tables keeps the tables that belong to it.
#[test]
fn table_stays_with_its_element() {
    let own = "[proxy]\nid = \"a\"\n[x]\ny = 1\n[[other]]\n[other.z]\n[x.deep]\n";
    let change = "rules = [{ match = { path = \"/a\" } }, {}]\n[[list]]\n[list.match]\np = 1\n[[list]]\n";
    let values: Table = toml::from_str(&merged(own, change)).unwrap();
    assert_eq!(values["rules"].as_array().unwrap().len(), 2);
    assert!(values["rules"][0].get("match").is_some() && values["rules"][1].get("match").is_none());
    assert!(values["list"][0].get("match").is_some() && values["list"][1].get("match").is_none());
    let tables = "[[rules]]\n[rules.match]\npath = \"/a\"\n[[rules]]\n";
    let again: Table =
        toml::from_str(&merged(&format!("{own}[[rules]]\n[[rules]]\n[rules.match]\n"), tables)).unwrap();
    assert!(again["rules"][0].get("match").is_some() && again["rules"][1].get("match").is_none());
}

/// `nan` is not equal to itself, but a change that leaves it, or brings it, means what it says.
#[test]
fn nan_is_no_difference() {
    let own = "[proxy]\nid = \"a\"\n[x]\ny = [nan, { z = nan }]\n";
    assert_eq!(merged(own, "[logging]\nlevel = nan\n"), format!("{own}[logging]\nlevel = nan\n"));
}

/// Keys that need quotes, and values that only TOML has.
#[test]
fn unusual_keys_and_values() {
    let own = "[proxy]\nid = \"a\"\n[x.\"y.z\"]\n'' = 1\n[x.'with space']\na = 1979-05-27\n";
    let change = "x.\"y.z\".'' = 2\nx.'with space'.t = 1979-05-27T07:32:00Z\nx.\"\\u0001\".f = -inf\n\
                  rules = [[], [{}], {'' = {}}]\n";
    let mut expected: Table = toml::from_str(own).unwrap();
    expected.extend(toml::from_str::<Table>(change).unwrap());
    assert_eq!(toml::from_str::<Table>(&merged(own, change)).unwrap(), expected);
}
