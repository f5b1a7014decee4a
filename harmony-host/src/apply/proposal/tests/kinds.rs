//! The sections that a change of each kind can have.

use super::*;

const PIPELINE: &str = "[pipelines.p]\nnetworks = []\nendpoints = []\nbackends = []\n";
const MESH: &str = "[mesh.m]\ntype = \"http\"\nprovider = \"local\"\njwt_secret = \"x\"\n";

/// A section that would have no effect in the file of the change, or that belongs to another kind.
#[test]
fn sections_of_other_kinds_are_rejected() {
    for (kind, document, section) in [
        ("pipeline", PIPELINE, "network.n.http"),
        ("pipeline", PIPELINE, "management"),
        ("pipeline", PIPELINE, "proxy"),
        ("pipeline", PIPELINE, "provider.runbeam"),
        ("pipeline", PIPELINE, "runbeam"),
        ("pipeline", PIPELINE, "mesh.m"),
        ("mesh", MESH, "pipelines.p"),
        ("mesh", MESH, "endpoints.e"),
        ("mesh", MESH, "middleware.jwt_auth"),
        ("mesh", MESH, "authentications.jwt"),
        ("mesh", MESH, "network.n.http"),
        ("transform", "[transforms.t]\ninstructions = \"[]\"\n", "pipelines.p"),
    ] {
        let rejection =
            proposed(kind, &format!("{document}[{section}]\nx = 1\n"), Vec::new()).expect_err(section);
        let top = section.split('.').next().unwrap();
        let named = rejection.problems.errors().any(|problem| problem.key == top && problem.place.is_some());
        assert!(named, "{kind} with [{section}]: {:?}", rejection.problems);
    }
    for (kind, document, section) in [
        ("pipeline", PIPELINE, "targets.t.connection"),
        ("pipeline", PIPELINE, "middleware.m"),
        ("mesh", MESH, "remote_ingress.r"),
    ] {
        assert!(proposed(kind, &format!("{document}[{section}]\nx = 1\n"), Vec::new()).is_ok(), "{section}");
    }
}

/// A change of the settings of a management API that is off would be applied without effect.
#[test]
fn settings_of_no_management_api_are_rejected() {
    let own = "[proxy]\nid = \"a\"\n";
    assert_eq!(rejected(own, "[management]\nbase_path = \"/admin\"\n"), ["management.base_path"]);
    assert_eq!(
        rejected(own, "[management]\ntoken = \"0123456789abcdef0123456789abcdef\"\n"),
        ["management.token"]
    );
    assert_eq!(merged(own, "[management]\nenabled = false\n"), own);
}
