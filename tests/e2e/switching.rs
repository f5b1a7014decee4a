//! The active provider, and what it permits.

use std::sync::Arc;

use harmony_host::{HostOptions, RunningGateway};
use harmony_tests::{Upstream, Workdir, eventually, free_port};
use provider_api::{
    BuildContext, ConfigSource, Enrollment, Error, Freshness, InvalidSettings, MeshAuth, Provider,
    ProviderFactory, ProviderName, Publisher, Reference, Registry, Resolved, Resolver, Resource, ResourceKey,
    ResourceType, Result, Retention, SettingsProfile, async_trait,
};
use reqwest::StatusCode;
use serde::Deserialize;

/// A remote provider for tests. It has one ingress, at the URL in its section.
#[derive(Debug)]
struct TestCloud {
    name: ProviderName,
    api: String,
}

#[derive(Deserialize)]
struct Settings {
    api: String,
}

struct TestCloudFactory;

impl ProviderFactory for TestCloudFactory {
    const TYPE: &'static str = "testcloud";
    type Settings = Settings;

    fn build(&self, context: BuildContext, settings: Settings) -> Result<Arc<dyn Provider>, InvalidSettings> {
        Ok(Arc::new(TestCloud { name: context.name, api: settings.api }))
    }

    fn profile(&self) -> SettingsProfile {
        SettingsProfile::new()
    }
}

impl Provider for TestCloud {
    fn name(&self) -> &ProviderName {
        &self.name
    }
    fn source(&self) -> Option<&dyn ConfigSource> {
        None
    }
    fn resolver(&self) -> Option<&dyn Resolver> {
        Some(self)
    }
    fn mesh_auth(&self) -> Option<&dyn MeshAuth> {
        None
    }
    fn enrollment(&self) -> Option<&dyn Enrollment> {
        None
    }
    fn publisher(&self) -> Option<&dyn Publisher> {
        None
    }
    fn retention(&self) -> Option<&dyn Retention> {
        None
    }
}

#[async_trait]
impl Resolver for TestCloud {
    async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
        match reference.key() {
            ResourceKey::Name(name) if name == "there" => {
                let mut resource = Resource::new(ResourceType::Ingress, "01", "there");
                resource.urls.push(self.api.clone());
                Ok(Resolved { resource, fresh: Freshness::UntilReload })
            }
            ResourceKey::Name(name) if name == "panics" => panic!("a bug in the provider"),
            ResourceKey::Name(name) if name == "forbidden" => Err(Error::denied("not for this gateway")),
            ResourceKey::Name(name) if name == "away" => Err(Error::unavailable("the cloud is unavailable")
                .with_retry_after(std::time::Duration::from_secs(17))),
            _ => Err(Error::not_found(format!("{reference} does not exist"))),
        }
    }
}

fn registry() -> Registry {
    let mut registry = harmony_host::registry();
    registry.register(TestCloudFactory);
    registry
}

fn config(port: u16, primary: &str, api: &str) -> String {
    format!(
        "[proxy]\nid = \"switching\"\nprimary_provider = \"{primary}\"\n\n[provider.testcloud]\napi = \"{api}\"\n\n\
         [network.default.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n"
    )
}

/// A pipeline that forwards requests below `/{name}` to `target`.
fn pipeline(name: &str, target: &str) -> String {
    format!(
        "[pipelines.{name}]\nnetworks = [\"default\"]\nendpoints = [\"{name}\"]\nbackends = [\"{name}\"]\n\
         [endpoints.{name}]\nservice = \"http\"\noptions.path_prefix = \"/{name}\"\n\
         [backends.{name}]\nservice = \"http\"\n{target}\n"
    )
}

fn remote(name: &str) -> String {
    pipeline(name, &format!("target_ref = \"testcloud.team.ingress.name.{name}\""))
}

async fn status(port: u16, path: &str) -> StatusCode {
    harmony_tests::get(format!("http://127.0.0.1:{port}{path}")).await.expect("an answer").status()
}

#[tokio::test]
async fn editing_primary_provider_switches_live() {
    let upstream = Upstream::with_body("hello").await;
    let port = free_port();
    let dir = Workdir::with([
        ("config.toml", config(port, "testcloud", &upstream.url())),
        ("pipelines/local.toml", pipeline("local", &format!("options.base_url = \"{}\"", upstream.url()))),
        ("pipelines/there.toml", remote("there")),
    ]);
    let host = RunningGateway::start(HostOptions::new(dir.config(), registry())).await.expect("it starts");
    assert_eq!(host.snapshot().providers().primary_name().as_str(), "testcloud");
    assert_eq!(status(port, "/there").await, StatusCode::OK);

    // A reference to a provider that is not primary is an error, and the last good configuration stays live.
    dir.edit("config.toml", "primary_provider = \"testcloud\"", "primary_provider = \"local\"");
    let reason =
        eventually("the switch is rejected", || async { host.status().reason().ok_or("in sync") }).await;
    assert!(reason.contains("configured") && reason.contains("not primary"), "{reason}");
    assert!(reason.contains("pipelines/there.toml:10"), "{reason}");
    assert_eq!(status(port, "/there").await, StatusCode::OK);

    dir.remove("pipelines/there.toml");
    eventually("local is primary", || async {
        let name = host.snapshot().providers().primary_name().to_string();
        if name == "local" { Ok(()) } else { Err(name) }
    })
    .await;
    assert_eq!(status(port, "/there").await, StatusCode::NOT_FOUND);
    assert_eq!(status(port, "/local").await, StatusCode::OK);
    eventually("in sync again", || async { host.status().reason().map_or(Ok(()), Err) }).await;

    dir.edit("config.toml", "primary_provider = \"local\"", "primary_provider = \"testcloud\"");
    dir.replace("pipelines/there.toml", &remote("there"));
    eventually("testcloud is primary", || async {
        let status = status(port, "/there").await;
        if status == StatusCode::OK { Ok(()) } else { Err(status) }
    })
    .await;
    assert_eq!(host.snapshot().providers().primary_name().as_str(), "testcloud");
}

#[tokio::test]
async fn provider_errors_map_to_statuses() {
    let port = free_port();
    let dir = Workdir::with([
        ("config.toml", config(port, "testcloud", "http://127.0.0.1:1")),
        ("pipelines/missing.toml", remote("missing")),
        ("pipelines/forbidden.toml", remote("forbidden")),
        ("pipelines/away.toml", remote("away")),
    ]);
    let _host = RunningGateway::start(HostOptions::new(dir.config(), registry())).await.expect("it starts");
    assert_eq!(status(port, "/missing").await, StatusCode::NOT_FOUND);
    assert_eq!(status(port, "/forbidden").await, StatusCode::FORBIDDEN);
    let away = harmony_tests::get(format!("http://127.0.0.1:{port}/away")).await.unwrap();
    assert_eq!(away.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(away.headers()["retry-after"], "17");
}

/// An unknown primary provider is an error that lists the compiled-in names.
#[tokio::test]
async fn an_unknown_primary_provider_is_an_error() {
    let dir = Workdir::with([("config.toml", config(free_port(), "acme", "http://127.0.0.1:1"))]);
    let refusal =
        RunningGateway::start(HostOptions::new(dir.config(), registry())).await.expect_err("it is refused");
    let problems: Vec<String> = refusal.problems.errors().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("config.toml:3: proxy.primary_provider"), "{problems:?}");
    assert!(
        problems[0].contains("acme") && problems[0].contains("local, runbeam, testcloud"),
        "{problems:?}"
    );
}

#[tokio::test]
async fn a_mesh_needs_a_provider_with_mesh_tokens() {
    let dir = Workdir::with([
        ("config.toml", config(free_port(), "testcloud", "http://127.0.0.1:1")),
        ("mesh/m.toml", "[mesh.m]\nid = \"01\"\ntype = \"http\"\nprovider = \"testcloud\"\n".to_owned()),
    ]);
    let refusal =
        RunningGateway::start(HostOptions::new(dir.config(), registry())).await.expect_err("it is refused");
    let problems: Vec<String> = refusal.problems.errors().map(ToString::to_string).collect();
    assert!(problems[0].contains("mesh/m.toml:4") && problems[0].contains("no mesh tokens"), "{problems:?}");
}

/// Invalid provider settings are an error with their line, without their value.
#[tokio::test]
async fn invalid_settings_are_reported_without_values() {
    let text = config(free_port(), "testcloud", "x").replace("api = \"x\"", "api = [\"hunter2\"]");
    let dir = Workdir::with([("config.toml", text)]);
    let refusal =
        RunningGateway::start(HostOptions::new(dir.config(), registry())).await.expect_err("it is refused");
    let problems: Vec<String> = refusal.problems.errors().map(ToString::to_string).collect();
    assert!(problems[0].starts_with("config.toml:6: provider.testcloud"), "{problems:?}");
    assert!(!problems[0].contains("hunter2"), "{problems:?}");
}

#[tokio::test]
async fn a_panic_of_a_provider_fails_one_call_only() {
    let upstream = Upstream::with_body("hello").await;
    let port = free_port();
    let dir = Workdir::with([
        ("config.toml", config(port, "testcloud", &upstream.url())),
        ("pipelines/panics.toml", remote("panics")),
        ("pipelines/there.toml", remote("there")),
    ]);
    let _host = RunningGateway::start(HostOptions::new(dir.config(), registry())).await.expect("it starts");
    for _ in 0..3 {
        assert_eq!(status(port, "/panics").await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status(port, "/there").await, StatusCode::OK);
    }
}

/// A pipeline with an egress of the local mesh `name`, and the mesh with a remote ingress.
fn sender(name: &str, reference: &str, upstream: &str) -> String {
    let target = format!("options.base_url = \"{upstream}\"");
    pipeline(name, &target)
        + &format!(
            "[pipelines.{name}.mesh.egress.{name}_out]\ntype = \"http\"\n\
             [mesh.{name}]\ntype = \"http\"\nprovider = \"local\"\njwt_secret = \"{}-{name}\"\n\
             ingress = [\"testcloud.team.ingress.name.{reference}\"]\negress = [\"{name}_out\"]\n",
            harmony_tests::SECRET
        )
}

#[tokio::test]
async fn meshes_with_one_member_send_own_tokens() {
    let upstream = Upstream::with_body("hello").await;
    let port = free_port();
    let dir = Workdir::with([
        ("config.toml", config(port, "testcloud", &upstream.url())),
        ("pipelines/m1.toml", sender("m1", "there", &upstream.url())),
        ("pipelines/m2.toml", sender("m2", "there", &upstream.url())),
    ]);
    let _host = RunningGateway::start(HostOptions::new(dir.config(), registry())).await.expect("it starts");
    for mesh in ["m1", "m2", "m1"] {
        assert_eq!(status(port, &format!("/{mesh}")).await, StatusCode::OK);
        let request = upstream.last_request();
        let token = request.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
        let claims: serde_json::Value = jsonwebtoken::dangerous::insecure_decode_claims(token).unwrap();
        assert_eq!(claims["iss"], mesh);
    }
}

/// A missing member is not part of the mesh. A member that cannot be resolved is 503, never sent without a token.
#[tokio::test]
async fn unknown_and_unavailable_members() {
    let upstream = Upstream::with_body("hello").await;
    let port = free_port();
    let dir = Workdir::with([
        ("config.toml", config(port, "testcloud", &upstream.url())),
        ("pipelines/m1.toml", sender("m1", "missing", &upstream.url())),
        ("pipelines/m2.toml", sender("m2", "away", &upstream.url())),
    ]);
    let _host = RunningGateway::start(HostOptions::new(dir.config(), registry())).await.expect("it starts");
    assert_eq!(status(port, "/m1").await, StatusCode::OK);
    assert!(!upstream.last_request().headers.contains_key("authorization"));
    assert_eq!(status(port, "/m2").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(upstream.requests().len(), 1, "no request is sent without a token that it may need");
}
