//! Options of services and middleware that an embedding application serves.

use harmony_host::{Capabilities, HostOptions, Snapshot, check, registry};
use harmony_tests::Workdir;

const CONFIG: &str = "[proxy]\nid = \"site\"\nprimary_provider = \"local\"\n[network.n.http]\nbind_port = 8080\n\
    [pipelines.p]\nnetworks = [\"n\"]\nendpoints = [\"e\"]\nmiddleware = [\"m\"]\nbackends = [\"b\"]\n\
    [endpoints.e]\nservice = \"fhir\"\noptions.path_prefix = \"/fhir\"\noptions.profile = \"r4\"\n\
    [middleware.m]\ntype = \"audit\"\noptions.sink = { file = \"a\" }\n\
    [backends.b]\nservice = \"http\"\noptions.base_url = \"http://127.0.0.1:9\"\noptions.headers = { a = \"b\" }\n";

fn serving() -> Capabilities {
    Capabilities::new().with_endpoint("fhir").with_middleware("audit").with_backend("http")
}

fn naming() -> Capabilities {
    serving()
        .with_endpoint_options("fhir", ["path_prefix", "profile"])
        .with_middleware_options("audit", ["sink"])
        .with_backend_options("http", ["headers", "signing"])
}

/// Returns the errors of a configuration, or its warnings.
async fn checked(config: &str, capabilities: Capabilities, allow: bool) -> Result<Snapshot, Vec<String>> {
    let dir = Workdir::with([("config.toml", config.to_owned())]);
    let mut options = HostOptions::new(dir.config(), registry());
    options.state_dir = dir.path().join("state");
    options.allow_unknown_keys = allow;
    let checked = check(&options, capabilities).await;
    checked.map_err(|rejection| rejection.problems.errors().map(ToString::to_string).collect())
}

/// The application names the options that it reads. What it does not name is unknown, with the nearest known option.
#[tokio::test]
async fn options_of_the_application_are_checked() {
    let unserved = |snapshot: &Snapshot| snapshot.warnings().iter().any(|w| w.message.contains("headers"));
    let plain = checked(CONFIG, serving(), false).await.unwrap();
    assert!(unserved(&plain), "without a name, `headers` is not served");
    let named = checked(CONFIG, naming(), false).await.unwrap();
    assert!(!unserved(&named), "{:?}", named.warnings());
    let more = format!("{CONFIG}options.signing = true\n");
    assert!(checked(&more, naming(), false).await.is_ok());
    assert!(checked(&more, serving(), false).await.is_err(), "an option of `http` that nobody knows");
    for (key, edited, help) in [
        (
            "endpoints.e.options.profil",
            CONFIG.replace("options.profile", "options.profil"),
            "did you mean `profile`?",
        ),
        ("middleware.m.options.snk", CONFIG.replace("options.sink", "options.snk"), "did you mean `sink`?"),
        (
            "middleware.m.options.other",
            CONFIG.replace("options.sink", "options.other"),
            "known options: sink",
        ),
        ("backends.b.options.sining", format!("{CONFIG}options.sining = true\n"), "did you mean `signing`?"),
        (
            "backends.b.options.base_ur",
            CONFIG.replace("options.base_url", "options.base_ur"),
            "did you mean `base_url`?",
        ),
    ] {
        let errors = checked(&edited, naming(), false).await.expect_err(key);
        assert!(
            errors.iter().any(|e| e.contains(&format!(": {key}: ")) && e.contains(help)),
            "{key}: {errors:?}"
        );
        if !key.starts_with("backends") {
            assert!(
                checked(&edited, serving(), false).await.is_ok(),
                "{key}: an application may leave its options open"
            );
            assert!(checked(&edited, naming(), true).await.is_ok(), "{key}: unknown keys are allowed");
        }
    }
}
