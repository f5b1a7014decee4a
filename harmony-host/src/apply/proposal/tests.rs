use provider_api::{Attachment, ChangeId};

use super::*;
use crate::config::test_registry::test_registry;
use crate::documents::Touched;

const CONFIG: &str = "# mine\n[proxy]\nid = \"a\"\nprimary_provider = \"runbeam\" # chosen\n\
                      [provider.runbeam]\napi = \"https://cloud\" # ours\npoll_interval_secs = 30\n\
                      [management]\nenabled = true\nnetwork = \"m\"\ntoken = \"0123456789abcdef0123456789abcdef\"\n\
                      [logging]\nlevel = \"info\"\n";

fn proposed(kind: &str, document: &str, attachments: Vec<Attachment>) -> Result<Edits, Rejection> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.toml"), CONFIG).unwrap();
    std::fs::create_dir(dir.path().join("pipelines")).unwrap();
    std::fs::write(dir.path().join("pipelines/by-hand.toml"), "[pipelines.fhir]\n").unwrap();
    let documents =
        Documents::load(&dir.path().join("config.toml"), None, None, &Touched::Everything).documents;
    let change = Change {
        id: ChangeId::new("01A").unwrap(),
        kind: DocumentKind::from(kind),
        document: document.to_owned(),
        attachments,
    };
    edits(&change, &documents, &test_registry())
}

fn config(document: &str) -> String {
    proposed("gateway", document, Vec::new()).unwrap().get("config.toml").unwrap_or(CONFIG).to_owned()
}

#[test]
fn a_gateway_change_sets_what_it_may_and_keeps_comments_layout_and_what_it_does_not_bring() {
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

#[test]
fn what_says_the_same_in_other_words_changes_nothing_and_a_secret_may_be_left_out() {
    let same = "management = { network = 'm', enabled = true }\nlogging.level = 'info'\n\
                proxy = { primary_provider = 'runbeam', id = 'a' }\n";
    assert!(proposed("gateway", same, Vec::new()).unwrap().is_empty());
}

#[test]
fn a_limit_is_refused_with_its_line_and_beside_every_other() {
    let refusal =
        proposed("gateway", "[proxy]\nid = \"b\"\n[provider.runbeam]\napi = \"https://evil\"\n", Vec::new())
            .unwrap_err();
    let problems: Vec<String> =
        refusal.problems.sorted_errors().into_iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("gateway change 01A:2: proxy.id"), "{problems:?}");
    assert!(problems[1].starts_with("gateway change 01A:4: provider.runbeam.api"), "{problems:?}");
}

#[test]
fn a_pipeline_goes_to_the_file_that_defines_it_already_or_to_one_of_its_name() {
    let names = |toml: &str| {
        let edits = proposed("pipeline", toml, Vec::new()).unwrap();
        edits.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("[pipelines.fhir]\ndescription = \"x\"\n"), ["pipelines/by-hand.toml"]);
    assert_eq!(names("[pipelines.other]\n"), ["pipelines/other.toml"]);
    assert!(names("[pipelines.fhir]\n").is_empty());
}

#[test]
fn an_attachment_becomes_a_file_only_under_a_name_that_is_one() {
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
