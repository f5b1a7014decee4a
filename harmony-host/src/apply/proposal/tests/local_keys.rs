//! Keys that only the operator may set, in changes of every kind.

use super::{merged, proposed_to, rejected};

const OWN: &str = "[proxy]\nid = \"a\"\nprimary_provider = \"local\"\n";
const MESH: &str = "[mesh.m]\nprovider = \"local\"\njwt_secret = \"hunter2\"\n";
const AUDIENCE: &str = "[mesh.m]\nprovider = \"local\"\njwt_secret = \"hunter2\"\ntoken_audience = true\n";

/// No change sets which tokens a mesh requires, and none takes it away.
#[test]
fn token_audience_is_not_set_by_a_change() {
    let (plain, demanding) = (format!("{OWN}{MESH}"), format!("{OWN}{AUDIENCE}"));
    let key = ["mesh.m.token_audience"];
    for change in [AUDIENCE, "mesh = { m = { provider = 'local', \"token_audience\" = true } }"] {
        assert_eq!(rejected(&plain, change), key, "{change}");
    }
    assert_eq!(rejected(OWN, AUDIENCE), key, "a new mesh");
    for change in [
        "[mesh.m]\nprovider = \"local\"\ntoken_audience = false\n",
        "[mesh.m]\nprovider = \"local\"\ntoken_audience = \"$X\"\n",
        "[mesh.other]\nprovider = \"local\"\n",
        "mesh = {}",
    ] {
        assert_eq!(rejected(&demanding, change), key, "{change}");
    }
    assert_eq!(merged(OWN, &format!("{MESH}token_audience = false\n")).matches("token_audience").count(), 1);
    assert_eq!(merged(&demanding, AUDIENCE), demanding);
    let kept = merged(&demanding, "[mesh.m]\nprovider = \"local\"\ningress = [\"i\"]\n");
    assert!(kept.contains("token_audience = true") && kept.contains("\"i\""), "{kept}");
}

/// The same in a mesh. Changes of other kinds cannot have a mesh at all.
#[test]
fn other_kinds_do_not_set_it_either() {
    for (kind, document, key) in [
        ("mesh", AUDIENCE.to_owned(), "mesh.m.token_audience"),
        ("pipeline", format!("[pipelines.p]\n{AUDIENCE}"), "mesh"),
        ("transform", format!("[transform.t]\ninstructions = \"[]\"\n{AUDIENCE}"), "mesh"),
    ] {
        let rejection = proposed_to(OWN, kind, &document, Vec::new()).expect_err(kind);
        let problems: Vec<_> = rejection.problems.errors().map(|problem| problem.key.clone()).collect();
        assert_eq!(problems[0], key, "{kind}: {problems:?}");
    }
}
