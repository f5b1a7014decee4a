//! Canaries in every place that can hold a secret appear in none of the outputs.

use std::fs;

use harmony_tests::site::{BASE, echo, forward, ingress, mesh};
use harmony_tests::{Forged, Metrics, SECRET, Workdir, client, free_port};

use crate::observability::Observed;

const CANARY: &str = "canary-7f3a91c2d4e5b608";
const TOKEN: &str = "canary-token-0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn canaries_appear_nowhere() {
    let config = BASE
        .replace("network = \"management\"\n", &format!("network = \"management\"\ntoken = \"{TOKEN}\"\n"));
    let sections = echo("fhir", "/fhir")
        + &ingress("fhir", "api", "http://127.0.0.1:PORT/fhir", "mesh")
        + &mesh("clinic", "api")
        + &echo("open", "/open")
        + &forward("dead", "/dead", &format!("http://127.0.0.1:{}", free_port()));
    for format in ["json", "common"] {
        let dir = Workdir::new();
        let file = dir.path().join("access.log");
        let path = file.display().to_string();
        let arguments =
            ["--log", "trace", "--access-log", format, "--access-log-file", &path, "--log-format", "json"];
        let observed = Observed::start_in(dir, &format!("{config}{sections}"), &arguments).await;
        let token = Forged::of("clinic").jwt();
        let wrong = Forged::of("clinic").signed_with(b"another secret of more than 32 bytes").jwt();
        for path in ["/open", "/dead", "/fhir", "/nothing"] {
            for bearer in [&token, &wrong] {
                let request = client()
                    .post(observed.url(&format!("{path}?password={CANARY}&x={CANARY}#{CANARY}")))
                    .bearer_auth(bearer)
                    .header("cookie", format!("session={CANARY}"))
                    .header("x-api-key", CANARY)
                    .header("proxy-authorization", format!("Basic {CANARY}"))
                    .header("user-agent", CANARY)
                    .body(CANARY);
                request.send().await.unwrap();
            }
        }
        let login = client().get(format!("http://127.0.0.1:{}/admin/info?{CANARY}", observed.admin));
        login.bearer_auth(CANARY).send().await.unwrap();
        let metrics = Metrics::of(observed.admin).await;
        let Observed { mut gateway, .. } = observed;
        gateway.signal("TERM").await;
        gateway.exit_code().await;
        let log = gateway.log();
        let access = fs::read_to_string(&file).unwrap_or_default();
        for (name, output) in [("metrics", metrics.text()), ("log", &log), ("access log", &access)] {
            assert!(output.len() > 1000, "{name}: {output}");
            for secret in [CANARY, TOKEN, SECRET, &token, &wrong] {
                assert!(!output.contains(secret), "the {name} has {secret}");
            }
        }
    }
}
