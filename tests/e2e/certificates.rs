//! Warnings about certificates that have expired or end soon.

use std::time::{Duration, SystemTime};

use harmony_host::{Capabilities, HostOptions, check, registry};
use harmony_tests::site::{BASE, on_ports, pipeline};
use harmony_tests::{Gateway, Site, Workdir, client, eventually, free_port};
use serde_json::Value;

/// A self-signed certificate and its key, which end in this many days.
pub(crate) fn ends_in(days: i64) -> (String, String) {
    let days_off = Duration::from_secs(24 * 3600) * u32::try_from(days.unsigned_abs()).unwrap();
    let now = SystemTime::now();
    ends_at(if days < 0 { now - days_off } else { now + days_off })
}

fn ends_at(end: SystemTime) -> (String, String) {
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.not_after = end.into();
    let key = rcgen::KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn config() -> String {
    let tls = "bind_port = PORT\ncert_path = \"cert.pem\"\nkey_path = \"key.pem\"\n";
    let backend =
        "service = \"http\"\noptions.base_url = \"https://127.0.0.1:1\"\noptions.ca_cert_path = \"ca.pem\"";
    BASE.replace("bind_port = PORT\n", tls) + &pipeline("away", "/away", backend)
}

fn directory(listener: i64, authorities: &[i64]) -> Workdir {
    let dir = Workdir::new();
    let (cert, key) = ends_in(listener);
    dir.write("cert.pem", &cert);
    dir.write("key.pem", &key);
    dir.write("ca.pem", &authorities.iter().map(|days| ends_in(*days).0).collect::<String>());
    dir
}

/// `check` and the warnings of a start name the certificate, its key and its end; a file of authorities counts as ended
/// when all of it has.
#[tokio::test]
async fn expired_and_ending_certificates_are_warned_about() {
    for (listener, authorities, expected) in [
        (90, &[90][..], &[][..]),
        (20, &[90], &["network.public.http.cert_path: the certificate in cert.pem expires at"]),
        (-5, &[90, -5], &["network.public.http.cert_path: the certificate in cert.pem expired at"]),
        (90, &[-5, -90], &["backends.away.ca_cert_path: the certificate in ca.pem expired at"]),
        (90, &[-5, 10], &["backends.away.ca_cert_path: the certificate in ca.pem expires at"]),
    ] {
        let dir = directory(listener, authorities);
        dir.write("config.toml", &on_ports(&config(), free_port(), free_port()));
        let mut options = HostOptions::new(dir.config(), registry());
        options.state_dir = dir.path().join("state");
        let capabilities =
            Capabilities::new().with_endpoint("http").with_backend("http").with_backend("echo");
        let snapshot = check(&options, capabilities).await.unwrap();
        let warnings: Vec<String> = snapshot
            .warnings()
            .iter()
            .map(ToString::to_string)
            .filter(|w| w.contains("certificate"))
            .collect();
        assert_eq!(warnings.len(), expected.len(), "{listener} {authorities:?}: {warnings:?}");
        for part in expected {
            assert!(warnings[0].contains(part), "{part}: {warnings:?}");
        }
    }
}

/// `GET provider` says how near the ends are when it is asked.
#[tokio::test]
async fn certificates_are_in_the_status() {
    let site = Site::with(&config(), directory(20, &[-5])).await;
    let answer = client().get(site.admin_url("/admin/provider")).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let states: Vec<(&str, &str)> = answer["certificates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["file"].as_str().unwrap(), entry["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("ca.pem", "expired"), ("cert.pem", "ends soon")], "{answer}");
}

/// A certificate that ends while it is served is in the log, without an edit.
#[tokio::test]
async fn an_end_while_the_gateway_runs_is_logged() {
    let dir = directory(90, &[90]);
    let (cert, key) = ends_at(SystemTime::now() + Duration::from_secs(5));
    dir.write("cert.pem", &cert);
    dir.write("key.pem", &key);
    dir.write("config.toml", &on_ports(&config(), free_port(), free_port()));
    let gateway = Gateway::start(&dir.config()).await;
    assert!(!gateway.log().contains("the certificate in cert.pem expired at"));
    eventually("the end is in the log", || async {
        gateway.signal("HUP").await;
        let log = gateway.log();
        if log.contains("the certificate in cert.pem expired at") { Ok(()) } else { Err(log) }
    })
    .await;
}
