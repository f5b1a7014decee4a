//! Requests to the application's own service, to an upstream, by mesh members and by operators, and their rejections.

use harmony_host::{Capabilities, Host, HostOptions};
use harmony_tests::site::{ingress, mesh, pipeline};
use harmony_tests::{Forged, NullActivation, Upstream, Workdir, client, free_port};
use serde_json::Value;

use crate::embedded::{Embedded, fhir, network, spawn};

#[tokio::test]
async fn own_service_is_served() {
    let app = Embedded::local("").await;
    let (status, body) = app.get("/first/metadata").await;
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["resourceType"], "CapabilityStatement");
    assert_eq!((app.get("/first/Patient/1").await.0, app.get("/first/Patient/2").await.0), (200, 404));
    assert_eq!(
        app.status().await["effective"]["warnings"],
        serde_json::json!([]),
        "it is not called unserved"
    );
}

#[tokio::test]
async fn unserved_service_is_501_and_warned_about() {
    let dicom = fhir("images", "/images").replacen("\"fhir\"", "\"dicom\"", 1);
    let app = Embedded::local(&dicom).await;
    let (status, body) = app.get("/images/1").await;
    assert!(status == 501 && body.contains("dicom"), "{status} {body}");
    let warnings = app.status().await["effective"]["warnings"].to_string();
    assert!(warnings.contains("dicom") && !warnings.contains("fhir"), "{warnings}");
}

#[tokio::test]
async fn http_backend_gets_the_request() {
    let upstream = Upstream::with_body("theirs").await;
    let backend = format!("service = \"http\"\noptions.base_url = \"{}/r4\"", upstream.url());
    let app = Embedded::local(&pipeline("out", "/out", &backend)).await;
    let sent = client().post(app.url("/out/Patient?x=1")).body("body").send().await.unwrap();
    assert_eq!((sent.status().as_u16(), sent.text().await.unwrap().as_str()), (200, "theirs"));
    let seen = upstream.last_request();
    assert_eq!((seen.method.as_str(), seen.uri.to_string().as_str()), ("POST", "/r4/Patient?x=1"));
    assert_eq!(seen.body, "body");
}

#[tokio::test]
async fn mesh_only_route_needs_a_token() {
    let app = Embedded::local("").await;
    let url = app.url("/partners");
    let partners = fhir("partners", "/partners") + &ingress("partners", "partners", &url, "mesh");
    app.dir.write("mesh/clinic.toml", &mesh("clinic", "partners"));
    app.dir.write("pipelines/partners.toml", &partners);
    app.wait_for_status("/partners/Patient/1", 403).await;

    // Another gateway of the mesh, which knows the application by its URL.
    let theirs = format!("[remote_ingress.partners]\nurls = [\"{url}\"]\n");
    let config = format!("[proxy]\nid = \"sender\"\nprimary_provider = \"local\"\n{theirs}");
    let dir = Workdir::with([("config.toml", config), ("mesh/clinic.toml", mesh("clinic", "partners"))]);
    let mut options = HostOptions::new(dir.config(), harmony_host::registry());
    options.state_dir = dir.path().join("state");
    let sender = Host::start(options, NullActivation(Capabilities::new())).await.unwrap();
    let patient = app.url("/partners/Patient/1");
    let token = sender.snapshot().mesh_authorization("clinic", &patient).await.unwrap().unwrap();
    let asked = client().get(&patient).header("authorization", token).send().await.unwrap();
    assert_eq!(asked.status(), 200);
    let forged = Forged::of("clinic").signed_with(b"another secret of more than 32 bytes").jwt();
    let asked = client().get(&patient).bearer_auth(forged).send().await.unwrap();
    assert_eq!(asked.status(), 403);
}

#[tokio::test]
async fn management_is_mounted() {
    let mut app = Embedded::local(&network("other", free_port())).await;
    let status = app.status().await;
    assert_eq!(
        (&status["in_sync"], &status["provider"]["name"]),
        (&true.into(), &"local".into()),
        "{status}"
    );
    app.dir.write("pipelines/second.toml", &fhir("second", "/second"));
    let reloaded = client().post(app.url("/api/reload")).send().await.unwrap();
    assert_eq!(reloaded.status(), 200);
    assert_eq!(app.get("/second/Patient/1").await.0, 200, "live before the answer");
    let spoken_for =
        client().get(app.url("/admin/provider")).header("via", "1.1 proxy").send().await.unwrap();
    assert_eq!(spoken_for.status(), 403, "it guards itself");
    app.process.signal("TERM").await;
    assert_eq!(app.process.exit_code().await, 0);
}

#[tokio::test]
async fn shipped_configuration_is_served() {
    let (port, home) = (free_port(), Workdir::new());
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway");
    let dir = Workdir::copy_of(&shipped, |text| text.replace("8085", &port.to_string()));
    let mut process = spawn(&dir, &home, "");
    process.wait_until_ready().await;
    for (path, status) in [("/fhir/Patient/1", 200), ("/partners/Patient/1", 403), ("/archive", 502)] {
        let asked = client().get(format!("http://127.0.0.1:{port}{path}")).send().await.unwrap();
        assert_eq!(asked.status(), status, "{path}");
    }
}
