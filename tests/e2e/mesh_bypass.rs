//! Attempts to bypass a mesh-only ingress by an edit of the configuration.

use harmony_host::{HostOptions, RunningGateway};
use harmony_tests::site::{echo, ingress, mesh};
use harmony_tests::{Forged, Site, Workdir, client, free_port};
use reqwest::StatusCode;

/// The statuses of a request without and with a token of the mesh `clinic`.
async fn statuses(site: &Site, path: &str) -> [StatusCode; 2] {
    let without = client().get(site.url(path)).send().await.expect("an answer").status();
    let token = Forged::of("clinic").jwt();
    let with = client().get(site.url(path)).bearer_auth(token).send().await.expect("an answer").status();
    [without, with]
}

fn mesh_only() -> String {
    echo("records", "/records")
        + &ingress("records", "in", "http://records.example/x", "mesh")
        + &mesh("clinic", "in")
}

/// The endpoint of a mesh-only ingress requires a token by any address.
#[tokio::test]
async fn the_endpoint_of_a_mesh_ingress_needs_a_token() {
    let site = Site::serving(&mesh_only()).await;
    assert_eq!(statuses(&site, "/records/7").await, [StatusCode::FORBIDDEN, StatusCode::OK]);
}

#[tokio::test]
async fn a_disabled_mesh_ingress_stays_closed() {
    let text = mesh_only().replace("mode = \"mesh\"", "mode = \"mesh\"\nenabled = false");
    let site = Site::serving(&text).await;
    assert_eq!(statuses(&site, "/records/7").await, [StatusCode::FORBIDDEN; 2]);
}

#[tokio::test]
async fn the_ingress_of_a_disabled_mesh_stays_closed() {
    let site = Site::serving(&mesh_only().replace("[mesh.clinic]", "[mesh.clinic]\nenabled = false")).await;
    assert_eq!(statuses(&site, "/records/7").await, [StatusCode::FORBIDDEN; 2]);
}

#[tokio::test]
async fn the_stricter_of_two_endpoints_wins() {
    let text = mesh_only().replace("endpoints = [\"records\"]", "endpoints = [\"open\", \"records\"]")
        + "[endpoints.open]\nservice = \"http\"\noptions.path_prefix = \"/records/\"\n";
    let text = text.replace("mode = \"mesh\"", "mode = \"mesh\"\nendpoint = \"records\"");
    let site = Site::serving(&text).await;
    assert_eq!(statuses(&site, "/records/7").await, [StatusCode::FORBIDDEN, StatusCode::OK]);
}

#[tokio::test]
async fn a_url_of_two_ingresses_is_an_error() {
    let port = free_port();
    let text = format!(
        "[proxy]\nid = \"x\"\nprimary_provider = \"local\"\n[network.public.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n{}{}",
        mesh_only(),
        ingress("records", "also", "http://records.example/x", "default")
    );
    let dir = Workdir::with([("config.toml", text)]);
    let started = RunningGateway::start(HostOptions::new(dir.config(), harmony_host::registry())).await;
    let refusal = started.expect_err("it is refused");
    let problems: Vec<String> = refusal.problems.errors().map(ToString::to_string).collect();
    assert!(problems.iter().any(|p| p.contains("already belongs to the ingress")), "{problems:?}");
}
