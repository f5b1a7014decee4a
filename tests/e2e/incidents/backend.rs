//! Incidents of backends.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harmony_tests::site::{forward, pipeline};
use harmony_tests::{GatewayProcess, Identity, Mount, Workdir, free_port};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tokio::net::TcpListener;

use crate::certificates::ends_in;
use crate::incidents::incident::Series;
use crate::incidents::{Cause, Incident, control_plane};

/// The counters of a backend that cannot be reached.
const UNREACHABLE: [Series<'_>; 3] = [
    ("harmony_backend_failures_total", &[("pipeline", "fhir"), ("kind", "unreachable")]),
    ("harmony_backend_retries_total", &[("pipeline", "fhir")]),
    ("harmony_refusals_total", &[("reason", "backend_unreachable")]),
];

#[tokio::test]
async fn backend_dead() {
    let cloud = control_plane().await;
    let url = format!("http://127.0.0.1:{}", free_port());
    let process = GatewayProcess::with(&cloud, free_port(), &forward("fhir", "/fhir", &url)).await;
    let incident = Incident::of(&process).await;
    assert_eq!(process.status_code("/fhir").await, 502);
    incident
        .has(Cause {
            row: (
                "backend",
                &[&url, "FAILS (unreachable)", "of pipeline fhir", "Connection refused", "see if it runs"],
            ),
            line: &["the backend failed", "pipeline=\"fhir\"", "Connection refused"],
            counters: &UNREACHABLE,
            gauge: None,
        })
        .await;
    let status = process.provider_status().await;
    assert_eq!(status["in_sync"], true, "a backend says nothing about the sync");
    let trouble = &status["troubles"][0];
    assert_eq!((&trouble["origin"], &trouble["count"]), (&json!(url), &json!(1)), "{trouble}");
}

/// Returns an authority in PEM, and an identity for 127.0.0.1 that it signed and that has expired.
fn expired() -> (String, Identity) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let mut leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    leaf.not_after = (SystemTime::now() - Duration::from_secs(3600)).into();
    let key = KeyPair::generate().unwrap();
    let cert = leaf.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
    (pem, Identity::from_pem(cert.pem(), key.serialize_pem()))
}

/// The certificate of a listener has expired.
#[tokio::test]
async fn certificate_expired() {
    let cloud = control_plane().await;
    let (cert, key) = ends_in(-1);
    let dir = Workdir::with([("cert.pem", cert), ("key.pem", key)]);
    fs::set_permissions(dir.path().join("key.pem"), Permissions::from_mode(0o600)).unwrap();
    let (port, mount) = (free_port(), Mount::Writable);
    let network = format!(
        "[network.secure.http]\nbind_address = \"127.0.0.1\"\nbind_port = {}\ncert_path = \"cert.pem\"\nkey_path = \"key.pem\"\n",
        free_port()
    );
    let process = GatewayProcess::mounted(&cloud, port, &network, dir, mount).await.unwrap();
    process.wait_for_sync().await;
    Incident::from_start(&process.gateway, process.admin, process.dir.config(), process.home.path())
        .has(Cause {
            row: ("certificate", &["cert.pem", "EXPIRED", "1 day ago"]),
            line: &["the certificate in cert.pem expired at", "replace the file"],
            counters: &[],
            gauge: Some((
                ("harmony_certificate_expiry_timestamp_seconds", &[("file", "cert.pem")]),
                |ends_at| ends_at < SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64(),
            )),
        })
        .await;
}

/// The certificate of a backend has expired.
#[tokio::test]
async fn certificate_of_a_backend_expired() {
    let (authority, identity) = expired();
    let backend = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}", backend.local_addr().unwrap());
    let acceptor = identity.acceptor(&["http/1.1"]);
    tokio::spawn(async move {
        while let Ok((stream, _)) = backend.accept().await {
            drop(acceptor.accept(stream).await);
        }
    });
    let cloud = control_plane().await;
    let options =
        format!("service = \"http\"\noptions.base_url = \"{url}\"\noptions.ca_cert_path = \"ca.pem\"");
    let dir = Workdir::with([("ca.pem", authority)]);
    let (port, mount) = (free_port(), Mount::Writable);
    let sections = pipeline("fhir", "/fhir", &options);
    let process = GatewayProcess::mounted(&cloud, port, &sections, dir, mount).await.unwrap();
    let incident = Incident::of(&process).await;
    assert_eq!(process.status_code("/fhir").await, 502);
    incident
        .has(Cause {
            row: (
                "backend",
                &[&url, "of pipeline fhir", "certificate expired", "renew the certificate of the backend"],
            ),
            line: &["the backend failed", "pipeline=\"fhir\"", "certificate expired"],
            counters: &UNREACHABLE,
            gauge: None,
        })
        .await;
}
