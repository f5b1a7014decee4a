//! Tests of proposals.

mod every_spelling;
mod gateway_meaning;
mod key_files;
mod kinds;
mod legacy_section;
mod local_keys;

use provider_api::{Attachment, ChangeId};

use super::*;
use crate::apply::proposal::record::GatewayNames;
use crate::config::test_registry::test_registry;
use crate::documents::Documents;
use crate::documents::Touched;
use crate::documents::layers::Layers;

const CONFIG: &str = "# mine\n[proxy]\nid = \"a\"\nprimary_provider = \"runbeam\" # chosen\n\
                      [provider.runbeam]\napi = \"https://cloud\" # ours\npoll_interval_secs = 30\n\
                      [management]\nenabled = true\nnetwork = \"m\"\ntoken = \"0123456789abcdef0123456789abcdef\"\n\
                      [logging]\nlevel = \"info\"\n";

fn proposed(kind: &str, document: &str, attachments: Vec<Attachment>) -> Result<Edits, Rejection> {
    proposed_to(CONFIG, kind, document, attachments)
}

fn proposed_to(
    config: &str,
    kind: &str,
    document: &str,
    attachments: Vec<Attachment>,
) -> Result<Edits, Rejection> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.toml"), config).unwrap();
    std::fs::create_dir(dir.path().join("pipelines")).unwrap();
    std::fs::write(dir.path().join("pipelines/by-hand.toml"), "[pipelines.fhir]\n").unwrap();
    let documents = Documents::load(
        &Layers::base_only(&dir.path().join("config.toml")),
        None,
        None,
        &Touched::Everything,
    )
    .documents;
    let change = Change {
        id: ChangeId::new("01A").unwrap(),
        kind: DocumentKind::from(kind),
        document: document.to_owned(),
        attachments,
    };
    edits(&change, &Base::new(&documents, &test_registry(), &names()))
}

fn names() -> GatewayNames {
    let own = |name: &str| Some(name.to_owned());
    GatewayNames { id: own("01GW"), code: own("edge"), name: own("Front Desk") }
}

fn config(document: &str) -> String {
    merged(CONFIG, document)
}

/// Returns `own` with a change of the gateway merged into it.
fn merged(own: &str, document: &str) -> String {
    let edits = proposed_to(own, "gateway", document, Vec::new());
    let edits = edits.unwrap_or_else(|rejection| panic!("{:?}\n{own}\n<-\n{document}", rejection.problems));
    edits.get("config.toml").unwrap_or(own).to_owned()
}

/// Returns the keys of the problems of a rejected change.
fn rejected(own: &str, document: &str) -> Vec<String> {
    let rejection = proposed_to(own, "gateway", document, Vec::new()).expect_err(document);
    rejection.problems.sorted_errors().into_iter().map(|problem| problem.key.clone()).collect()
}

/// A change of the gateway sets only allowed keys, and keeps comments, layout and the keys that it does not contain.
#[test]
fn gateway_change_keeps_comments_and_layout() {
    let switched =
        config("[proxy]\nprimary_provider = \"local\"\n[provider.runbeam]\npoll_interval_secs = 0\n");
    assert_eq!(
        switched,
        CONFIG
            .replace("\"runbeam\" # chosen", "\"local\" # chosen")
            .replace("poll_interval_secs = 30", "poll_interval_secs = 0")
    );
    let logging = config("[logging]\nlevel = \"debug\"\n");
    assert_eq!(logging, CONFIG.replace("\"info\"", "\"debug\""));
}

/// A document with the same values in another layout changes nothing, also when it leaves out a secret.
#[test]
fn equal_values_change_nothing() {
    let same = "management = { network = 'm', enabled = true }\nlogging.level = 'info'\n\
                proxy = { primary_provider = 'runbeam', id = 'a' }\n";
    assert!(proposed("gateway", same, Vec::new()).unwrap().is_empty());
}

/// Every setting that a change may not make is reported, each with its line.
#[test]
fn forbidden_keys_are_reported_with_lines() {
    let rejection =
        proposed("gateway", "[proxy]\nid = \"b\"\n[provider.runbeam]\napi = \"https://evil\"\n", Vec::new())
            .unwrap_err();
    let problems: Vec<String> =
        rejection.problems.sorted_errors().into_iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("gateway change 01A:2: proxy.id"), "{problems:?}");
    assert!(problems[1].starts_with("gateway change 01A:4: provider.runbeam.api"), "{problems:?}");
}

/// A pipeline is written to the file that defines it, or else to a file of its name.
#[test]
fn pipeline_is_written_to_its_file() {
    let names = |toml: &str| {
        let edits = proposed("pipeline", toml, Vec::new()).unwrap();
        edits.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("[pipelines.fhir]\ndescription = \"x\"\n"), ["pipelines/by-hand.toml"]);
    assert_eq!(names("[pipelines.other]\n"), ["pipelines/other.toml"]);
    assert!(names("[pipelines.fhir]\n").is_empty());
}

/// An attachment with a name that is not allowed as a file name is rejected.
#[test]
fn attachment_needs_a_valid_file_name() {
    let attach = |name: &str, content: &str| {
        let attachment = Attachment { name: name.to_owned(), content: content.to_owned() };
        proposed("pipeline", "[pipelines.other]\n", vec![attachment])
    };
    assert_eq!(attach("01ABC", "[]").unwrap().get("transforms/01ABC.json"), Some("[]"));
    for bad in ["../x", "a/b", "", ".hidden", "a\0"] {
        assert!(attach(bad, "[]").is_err(), "{bad}");
    }
    assert!(attach("01ABC", "not json").is_err());
}
