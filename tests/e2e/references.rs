//! Backends that name a resource instead of an address.

use harmony_host::{HostOptions, RunningGateway};
use harmony_tests::{Upstream, Workdir, free_port};
use reqwest::StatusCode;

fn config(port: u16) -> String {
    format!(
        "[proxy]\nid = \"references\"\nprimary_provider = \"local\"\n\
         [provider.runbeam]\napi = \"https://api.runbeam.cloud\"\n\
         [network.default.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n"
    )
}

/// A pipeline with the ingress `target` at `url`, and one at /front that forwards to `reference`.
fn pipelines(url: &str, reference: &str) -> String {
    format!(
        "[pipelines.owner]\nnetworks = [\"default\"]\nendpoints = [\"owner\"]\nbackends = [\"owner\"]\n\
         [pipelines.owner.mesh.ingress.target]\nid = \"01TARGET\"\ntype = \"http\"\nurls = [\"{url}\"]\n\
         [endpoints.owner]\nservice = \"http\"\noptions.path_prefix = \"/owner\"\n\
         [backends.owner]\nservice = \"echo\"\n\
         [pipelines.front]\nnetworks = [\"default\"]\nendpoints = [\"front\"]\nbackends = [\"front\"]\n\
         [endpoints.front]\nservice = \"http\"\noptions.path_prefix = \"/front\"\n\
         [backends.front]\nservice = \"http\"\ntarget_ref = \"{reference}\"\n"
    )
}

async fn errors(reference: &str) -> String {
    let dir = Workdir::with([
        ("config.toml", config(free_port())),
        ("pipelines/p.toml", pipelines("http://127.0.0.1:1", reference)),
    ]);
    let started = RunningGateway::start(HostOptions::new(dir.config(), harmony_host::registry())).await;
    let refusal = started.expect_err(reference);
    refusal.problems.errors().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A request is forwarded to the resource's URL, referenced by name or id, with and without the type.
#[tokio::test]
async fn every_form_of_reference_is_forwarded() {
    let upstream = Upstream::with_body("resolved").await;
    for reference in [
        "local.name.target",
        "local.id.01TARGET",
        "local.local.ingress.name.target",
        "local.local.ingress.id.01TARGET",
    ] {
        let port = free_port();
        let dir = Workdir::with([
            ("config.toml", config(port)),
            ("pipelines/p.toml", pipelines(&format!("{}/base", upstream.url()), reference)),
        ]);
        let _host = RunningGateway::start(HostOptions::new(dir.config(), harmony_host::registry()))
            .await
            .expect(reference);
        let answer = harmony_tests::get(format!("http://127.0.0.1:{port}/front/x?q")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{reference}");
        assert_eq!(upstream.last_request().uri, "/base/x?q", "{reference}");
    }
    assert_eq!(upstream.requests().len(), 4);
}

/// A malformed reference is an error with file, line and the expected syntax.
#[tokio::test]
async fn a_malformed_reference_is_an_error() {
    let problems = errors("local.local.socket.name.target").await;
    assert!(problems.contains("pipelines/p.toml:23: backends.front.target_ref"), "{problems}");
    assert!(problems.contains("type: expected ingress, egress"), "{problems}");
}

/// A reference to a configured but inactive provider is an error with that reason.
#[tokio::test]
async fn a_reference_to_an_inactive_provider_is_an_error() {
    let problems = errors("runbeam.acme.ingress.name.fhir").await;
    assert!(problems.contains("pipelines/p.toml:23"), "{problems}");
    assert!(problems.contains("`runbeam` is configured (config.toml:4) but not primary"), "{problems}");
}

#[tokio::test]
async fn a_reference_to_an_unknown_provider_is_an_error() {
    let problems = errors("acme.team.ingress.name.fhir").await;
    assert!(problems.contains("`acme` is neither configured nor compiled in"), "{problems}");
}

#[tokio::test]
async fn an_unknown_local_reference_is_an_error() {
    let problems = errors("local.name.nobody").await;
    assert!(problems.contains("pipelines/p.toml:23") && problems.contains("nobody"), "{problems}");
}

#[tokio::test]
async fn an_ambiguous_name_lists_the_candidates() {
    let problems = errors("local.name.front").await;
    assert!(problems.contains("pipelines/p.toml:23"), "{problems}");
    for candidate in ["local.local.pipeline.name.front", "local.local.endpoint.name.front"] {
        assert!(problems.contains(candidate), "{problems}");
    }
}
