//! Mistakes in security-relevant keys: the configuration is rejected, and closed routes stay closed.

use std::path::Path;

use harmony_host::{HostOptions, RunningGateway, Verdict};
use harmony_tests::site::{BASE, echo, forward, ingress, is_live, mesh, pipeline};
use harmony_tests::{Site, Upstream, Workdir, client, free_port};
use reqwest::StatusCode;

/// Configurations with keys that earlier versions ignored. They are not part of this repository.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/cases");

/// The errors of the files in `dir`, one line each.
async fn errors(dir: &Workdir) -> Vec<String> {
    let mut options = HostOptions::new(dir.config(), harmony_host::registry());
    options.state_dir = dir.path().join("state");
    match harmony_host::check(&options, harmony_host::Capabilities::new().with_endpoint("http")).await {
        Ok(_) => Vec::new(),
        Err(rejection) => rejection.problems.errors().map(ToString::to_string).collect(),
    }
}

async fn status(site: &Site, path: &str) -> StatusCode {
    client().get(site.url(path)).send().await.expect("an answer").status()
}

/// A misspelled key never opens a closed route: the edit is rejected, and requests get the same response as before.
#[tokio::test]
async fn a_misspelled_key_opens_nothing() {
    let sections = echo("records", "/records")
        + &ingress("records", "in", "http://records.example/x", "mesh")
        + &mesh("clinic", "in")
        + &echo("guarded", "/guarded").replace("backends = ", "middleware = [\"token\"]\nbackends = ")
        + "[middleware.token]\ntype = \"mesh_auth\"\noptions.required = true\n";
    let site = Site::serving(&sections).await;
    for (key, misspelled) in [
        ("mode = \"mesh\"", "moed = \"mesh\""),
        ("mode = \"mesh\"", "mdoe = \"mesh\""),
        ("options.required = true", "options.requird = true\noptions.required = false"),
        ("[mesh.clinic]", "[mehs.clinic]"),
        ("middleware = [\"token\"]", "midleware = [\"token\"]"),
        ("type = \"mesh_auth\"", "type = \"mesh_auth\"\nrequired = false"),
    ] {
        site.dir.edit("config.toml", key, misspelled);
        let verdict = site.host.reload().await;
        assert!(matches!(verdict, Some(Verdict::Rejected(_))), "{misspelled}: {verdict:?}");
        for path in ["/records/7", "/guarded"] {
            assert_eq!(status(&site, path).await, StatusCode::FORBIDDEN, "{misspelled}: {path}");
        }
        site.dir.edit("config.toml", misspelled, key);
        site.host.reload().await;
    }
}

/// A misspelled pipeline name in one of two places does not separate a pipeline from its ingresses and egresses.
#[tokio::test]
async fn ingresses_of_no_pipeline_are_rejected() {
    let rules = ingress("records", "in", "http://records.example/x", "mesh");
    let egress = "[pipelines.records.mesh.egress.away]\nmode = \"mesh\"\n";
    for wrong in [
        echo("records", "/records") + &rules.replace("pipelines.records", "pipelines.recrods"),
        echo("records", "/records").replace("pipelines.records", "pipelines.recrods") + &rules,
        echo("records", "/records") + &egress.replace("pipelines.records", "pipelines.recrods"),
    ] {
        let config =
            format!("{BASE}{wrong}{}", mesh("clinic", "in")).replace("PORT", "1").replace("ADMIN", "2");
        let found = errors(&Workdir::with([("config.toml", config)])).await;
        let expected = "this pipeline has ingresses or egresses, and neither endpoints nor backends";
        assert!(
            found.iter().any(|e| e.starts_with("config.toml:") && e.contains(expected)),
            "{wrong}: {found:?}"
        );
    }
}

/// A misspelled key does not turn a TLS listener into a cleartext one.
#[tokio::test]
async fn a_misspelled_certificate_key_is_rejected() {
    let config =
        BASE.replace("bind_port = PORT", "bind_port = 1\ncert_pth = \"c.pem\"").replace("ADMIN", "2");
    let found = errors(&Workdir::with([("config.toml", config)])).await;
    let expected = "network.public.http.cert_pth: this key is not known (did you mean `cert_path`?)";
    assert!(found.iter().any(|error| error.contains(expected)), "{found:?}");
}

/// If unknown keys are allowed, they cause a warning, except likely misspellings of security-relevant keys.
#[tokio::test]
async fn unknown_keys_can_be_allowed() {
    let config = |key: &str| {
        let base = BASE.replace("PORT", &free_port().to_string()).replace("ADMIN", &free_port().to_string());
        base.replace("id = \"site\"", &format!("id = \"site\"\n{key} = \"x\""))
    };
    for (key, accepted) in [("a_key_of_tomorrow", true), ("sensitive_field_paterns", false)] {
        let dir = Workdir::with([("config.toml", config(key))]);
        let mut options = HostOptions::new(dir.config(), harmony_host::registry());
        options.state_dir = dir.path().join("state");
        assert!(RunningGateway::start(options.clone()).await.is_err(), "{key}");
        options.allow_unknown_keys = true;
        assert_eq!(RunningGateway::start(options).await.is_ok(), accepted, "{key}");
    }
}

/// The directory of config.toml cannot be the directory of pipelines, in any spelling, so no pipeline replaces config.toml.
#[tokio::test]
async fn directories_of_kinds_must_differ() {
    for (key, value, expected) in [
        ("pipelines_path", ".", "this is the directory of config.toml"),
        ("pipelines_path", "pipelines/..", "this is the directory of config.toml"),
        ("mesh_path", "./", "this is the directory of config.toml"),
        ("mesh_path", "pipelines/", "this is the directory of `pipelines_path` too"),
        ("transforms_path", "mesh/../pipelines", "this is the directory of `pipelines_path` too"),
    ] {
        let config = BASE.replace("PORT", "1").replace("ADMIN", "2");
        let config = config.replace("id = \"site\"", &format!("id = \"site\"\n{key} = \"{value}\""));
        let dir = Workdir::with([("config.toml", config), ("pipelines/a.toml", String::new())]);
        let found = errors(&dir).await;
        assert!(found.iter().any(|error| error.contains(&format!("proxy.{key}: {expected}"))), "{found:?}");
    }
}

/// The `path_prefix` of a backend precedes the path of each request.
#[tokio::test]
async fn a_backend_path_prefix_is_sent() {
    let upstream = Upstream::with_body("tenant").await;
    let backend =
        format!("service = \"http\"\noptions.base_url = \"{}\"", format_args!("{}/base/", upstream.url()));
    let backend = backend + "\noptions.path_prefix = \"/tenant-7/\"";
    let site = Site::serving(&pipeline("a", "/a", &backend)).await;
    assert_eq!(status(&site, "/a/x?y=z").await, StatusCode::OK);
    assert_eq!(upstream.last_request().uri, "/base/tenant-7/x?y=z");
}

/// An endpoint inherits `authentication` and `enabled` of its peer.
#[tokio::test]
async fn an_endpoint_inherits_from_its_peer() {
    let sections =
        echo("a", "/a").replace("service = \"http\"", "service = \"http\"\npeer_ref = \"hospital\"");
    for (peer, expected) in [
        ("", StatusCode::OK),
        ("enabled = false", StatusCode::SERVICE_UNAVAILABLE),
        ("authentication = \"authentications.jwt\"", StatusCode::NOT_IMPLEMENTED),
    ] {
        let site = Site::serving(&format!("{sections}[peers.hospital]\n{peer}\n")).await;
        assert_eq!(status(&site, "/a").await, expected, "{peer}");
    }
    let config = (BASE.to_owned() + &sections).replace("PORT", "1").replace("ADMIN", "2");
    let found = errors(&Workdir::with([("config.toml", config)])).await;
    assert!(found.iter().any(|error| error.contains("endpoints.a.peer_ref")), "{found:?}");
}

/// A definition in another file, or a disabled ingress or egress, opens nothing that was closed.
#[tokio::test]
async fn more_definitions_open_nothing() {
    let upstream = Upstream::with_body("theirs").await;
    let sections = echo("auth", "/auth")
        .replace("service = \"http\"", "service = \"http\"\nauthentication = \"authentications.jwt\"")
        + "[authentications.jwt]\nmethod = \"jwt\"\n"
        + &echo("records", "/records")
        + &ingress("records", "in", "http://records.example/x", "mesh")
        + &forward("away", "/away", &upstream.url())
        + "[pipelines.away.mesh.egress.out]\nmode = \"mesh\"\n";
    let refused = async |site: &Site, when: &str| {
        for (path, expected) in [("/auth", 501), ("/records", 403), ("/away", 403)] {
            assert_eq!(status(site, path).await.as_u16(), expected, "{when}: {path}");
        }
    };
    let site = Site::serving(&sections).await;
    refused(&site, "as it is").await;
    site.dir.write("pipelines/z.toml", "[authentications.jwt]\nmethod = \"none\"\n");
    site.host.reload().await;
    refused(&site, "another definition").await;
    site.dir.edit("config.toml", "mode = \"mesh\"", "mode = \"mesh\"\nenabled = false");
    assert!(is_live(site.host.reload().await.as_ref()));
    refused(&site, "disabled").await;
    site.dir.edit("config.toml", "enabled = false", "enabled = false\nendpoint = \"recrds\"");
    assert!(matches!(site.host.reload().await, Some(Verdict::Rejected(_))), "no such endpoint");
    refused(&site, "disabled, of no endpoint").await;
    assert_eq!(upstream.requests().len(), 0);
}

/// Middleware of both sides is checked, under every name of the sides.
#[tokio::test]
async fn middleware_of_both_sides_is_checked() {
    for side in ["incoming", "outgoing", "left", "right"] {
        let middleware = format!("middleware = {{ {side} = [\"m\"] }}\nbackends = ");
        let sections =
            echo("a", "/a").replace("backends = ", &middleware) + "[middleware.m]\ntype = \"jwt_auth\"\n";
        let site = Site::serving(&sections).await;
        assert_eq!(status(&site, "/a").await, StatusCode::NOT_IMPLEMENTED, "{side}");
    }
}

/// A `mesh_auth`, with or without a section, requires a token by default.
#[tokio::test]
async fn mesh_auth_requires_a_token() {
    let sections = echo("a", "/a").replace("backends = ", "middleware = [\"mesh_auth\"]\nbackends = ")
        + &ingress("a", "in", "http://records.example/x", "default")
        + &mesh("clinic", "in");
    let section = "[middleware.mesh_auth]\ntype = \"mesh_auth\"\n";
    for (middleware, expected) in [
        (String::new(), StatusCode::FORBIDDEN),
        (section.to_owned(), StatusCode::FORBIDDEN),
        (format!("{section}options.direction = \"ingress\"\n"), StatusCode::FORBIDDEN),
        (format!("{section}options.required = true\n"), StatusCode::FORBIDDEN),
        (format!("{section}options.required = false\n"), StatusCode::OK),
    ] {
        let site = Site::serving(&(sections.clone() + &middleware)).await;
        assert_eq!(status(&site, "/a").await, expected, "{middleware}");
    }
}

/// Values that the host would ignore or misinterpret are rejected with their key.
#[tokio::test]
async fn values_without_effect_are_rejected() {
    for (section, key) in [
        (
            "[middleware.m]\ntype = \"mesh_auth\"\noptions.destination_url = \"https://a.example\"\n",
            "middleware.m.options.destination_url",
        ),
        ("[endpoints.e]\nservice = \"echo\"\nconnection.host = \"a\"\n", "endpoints.e.connection"),
        ("[targets.t]\ntimeout_secs = 0\n", "targets.t.timeout_secs"),
        ("[peers.p]\ntags = [1]\n", "peers.p.tags"),
        ("[pipelines.p]\nnetworks = \"public\"\n", "pipelines.p.networks"),
    ] {
        let config = BASE.replace("PORT", "1").replace("ADMIN", "2").replace("\"local\"", "\"runbeam\"");
        let provider = if section.starts_with("[provider") { "" } else { "[provider.runbeam]\n" };
        let found = errors(&Workdir::with([("config.toml", format!("{config}{provider}{section}"))])).await;
        assert!(found.iter().any(|error| error.contains(&format!(": {key}: "))), "{key}: {found:?}");
    }
}

/// The configurations whose keys were ignored are rejected.
#[tokio::test]
async fn official_cases_are_not_ignored() {
    for (case, key) in [
        ("force_https_ignored", "network.default.http.force_https"),
        ("mesh_auth_options_ignored", "middleware.m.options.mesh_name"),
        ("env_substitution_secret", "proxy.required_env_vars"),
        ("middleware_incoming_dropped", "pipelines.a.middleware"),
    ] {
        let config = Path::new(CASES).join(case).join("config.toml");
        if !config.exists() {
            continue;
        }
        let mut options = HostOptions::new(config, harmony_host::registry());
        let state = Workdir::new();
        options.state_dir = state.path().to_owned();
        let rejection = harmony_host::check(&options, harmony_host::Capabilities::new()).await.unwrap_err();
        assert!(rejection.problems.errors().any(|problem| problem.key == key), "{case}: {rejection}");
    }
}
