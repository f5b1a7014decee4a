//! Fuzzing of configuration files: no mutation causes a panic, and a rejected configuration changes nothing.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use harmony_host::{HostOptions, RunningGateway, Verdict};
use harmony_tests::{Workdir, free_port};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Client;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/quickstart");

type Tree = BTreeMap<String, String>;

fn tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut todo = vec![root.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                tree.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    tree
}

/// A mutation of one file.
#[derive(Clone, Debug)]
enum Mutation {
    Remove,
    Truncate(prop::sample::Index),
    /// Replaces a line.
    Line(prop::sample::Index, String),
    /// Copies a line to another place.
    Repeat(prop::sample::Index, prop::sample::Index),
    /// Replaces a character.
    Character(prop::sample::Index, char),
    /// Replaces the value of a line.
    Value(prop::sample::Index, String),
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    let value = prop::sample::select(vec![
        "\"\"",
        "0",
        "-1",
        "1e400",
        "true",
        "[]",
        "{}",
        "[[1]]",
        "\"../../x\"",
        "\"a.b.c.d.e.f\"",
        "\"http://[\"",
        "\"local.local.mesh.name.clinic\"",
        "\"runbeam.t.ingress.name.x\"",
        "1979-05-27",
        "99999999999999999999",
        "\"\\u0000\"",
        "\"mesh\"",
        "\"http3\"",
        "\"/dev/zero\"",
        "\"records\"",
        "'''\n'''",
    ]);
    let line = prop::sample::select(vec![
        "[",
        "[[pipelines]]",
        "[pipelines.\"../../x\"]",
        "[mesh]",
        "mesh = 1",
        "[network.public]",
        "= 1",
        "primary_provider = \"acme\"",
        "id = 1",
        "[provider.runbeam]",
        "[runbeam]\nenabled = true",
        "\u{feff}",
        "[middleware.x]\ntype = \"transform\"",
    ]);
    let index = any::<prop::sample::Index>;
    prop_oneof![
        1 => Just(Mutation::Remove),
        1 => index().prop_map(Mutation::Truncate),
        3 => (index(), line).prop_map(|(at, with)| Mutation::Line(at, with.to_owned())),
        2 => (index(), index()).prop_map(|(from, to)| Mutation::Repeat(from, to)),
        3 => (index(), any::<char>()).prop_map(|(at, with)| Mutation::Character(at, with)),
        6 => (index(), value).prop_map(|(at, with)| Mutation::Value(at, with.to_owned())),
    ]
}

fn mutate(text: &str, mutation: &Mutation) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match mutation {
        Mutation::Remove => return None,
        Mutation::Truncate(at) => {
            let mut end = at.index(text.len() + 1);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            return Some(text[..end].to_owned());
        }
        Mutation::Character(at, with) => {
            let mut characters: Vec<char> = text.chars().collect();
            if !characters.is_empty() {
                let at = at.index(characters.len());
                characters[at] = *with;
            }
            return Some(characters.into_iter().collect());
        }
        Mutation::Line(at, with) if !lines.is_empty() => {
            let at = at.index(lines.len());
            lines[at].clone_from(with);
        }
        Mutation::Repeat(from, to) if !lines.is_empty() => {
            let line = lines[from.index(lines.len())].clone();
            lines.insert(to.index(lines.len()), line);
        }
        Mutation::Value(at, with) => {
            let keyed: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].contains(" = ")).collect();
            if !keyed.is_empty() {
                let line = &mut lines[keyed[at.index(keyed.len())]];
                let key = line.split(" = ").next().unwrap_or_default().to_owned();
                *line = format!("{key} = {with}");
            }
        }
        _ => {}
    }
    Some(lines.join("\n") + "\n")
}

/// A file and its mutations. Only one file, because the watcher would see each step of a change of several files.
fn any_mutations() -> impl Strategy<Value = (prop::sample::Index, Vec<Mutation>)> {
    (any::<prop::sample::Index>(), prop::collection::vec(any_mutation(), 1..4))
}

async fn answers(client: &Client, port: u16) -> Vec<(u16, String)> {
    let mut answers = Vec::new();
    for path in ["/hello", "/records/1", "/nothing"] {
        let answer = client.get(format!("http://127.0.0.1:{port}{path}")).send().await.expect("a response");
        let status = answer.status().as_u16();
        let body: serde_json::Value = answer.json().await.expect("JSON");
        answers.push((status, format!("{} {} {}", body["pipeline"], body["mesh"], body["error"])));
    }
    answers
}

/// No mutation causes a panic, and a rejected configuration changes nothing that is served.
#[test]
fn mutated_files_never_change_what_is_served() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (public, mesh, admin) = (free_port(), free_port(), free_port());
    let dir = Workdir::copy_of(EXAMPLE.as_ref(), |text| {
        text.replace("8080", &public.to_string())
            .replace("8081", &mesh.to_string())
            .replace("9090", &admin.to_string())
    });
    let good = tree(dir.path());
    let host = runtime
        .block_on(RunningGateway::start(HostOptions::new(dir.config(), harmony_host::registry())))
        .unwrap();
    let client = harmony_tests::client();
    let expected = runtime.block_on(answers(&client, public));
    assert_eq!(expected.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [200, 200, 404]);

    let rejected = Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let cases = runner.run(&any_mutations(), |(file, mutations)| {
        let name = good.keys().nth(file.index(good.len())).unwrap();
        let mutated = mutations.iter().try_fold(good[name].clone(), |text, mutation| mutate(&text, mutation));
        let before = host.snapshot();
        match mutated {
            Some(text) => dir.replace(name, &text),
            None => dir.remove(name),
        }
        runtime.block_on(async {
            match host.reload().await {
                Some(Verdict::Rejected(refusal)) => {
                    rejected.set(rejected.get() + 1);
                    prop_assert!(refusal.problems.refuse(), "rejected without a problem");
                    prop_assert!(
                        Arc::ptr_eq(&before, &host.snapshot()),
                        "a rejected configuration is served"
                    );
                    prop_assert_eq!(answers(&client, public).await, expected.clone());
                }
                Some(_) => {}
                None => prop_assert!(false, "the gateway has stopped"),
            }
            dir.replace(name, &good[name]);
            let restored = host.reload().await;
            prop_assert!(!matches!(restored, Some(Verdict::Rejected(_)) | None), "{:?}", restored);
            prop_assert_eq!(answers(&client, public).await, expected.clone());
            Ok(())
        })
    });
    cases.unwrap();
    let rejected = rejected.get();
    assert!(rejected > 20, "only {rejected} of 200 configurations were rejected: the mutations are too weak");
}

#[tokio::test]
async fn a_rejected_config_keeps_the_snapshot() {
    let port = free_port();
    let text = format!(
        "[proxy]\nid = \"a\"\nprimary_provider = \"local\"\n[network.n.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n"
    );
    let dir = Workdir::with([("config.toml", text.clone())]);
    let host = RunningGateway::start(HostOptions::new(dir.config(), harmony_host::registry())).await.unwrap();
    let before = host.snapshot();
    for bad in [
        "",
        "[proxy]\n",
        "id = ",
        &text.replace("\"local\"", "\"acme\""),
        &text.replace("127.0.0.1", "nowhere"),
    ] {
        dir.replace("config.toml", bad);
        assert!(matches!(host.reload().await, Some(Verdict::Rejected(_))), "{bad}");
        assert!(Arc::ptr_eq(&before, &host.snapshot()), "{bad}");
    }
}
