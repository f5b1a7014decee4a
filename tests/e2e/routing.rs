//! Routing: the pipeline that serves a request.

use harmony_tests::site::{BASE, echo, ingress};
use harmony_tests::{Raw, Site, Workdir, client, free_port};
use reqwest::{Client, Version};
use serde_json::Value;

/// Returns the ingress or else the pipeline that `path` of `host` reaches, or the error status.
async fn reached(port: u16, host: &str, path: &str) -> Result<String, u16> {
    let answer = Raw::get(port, host, path).await;
    match answer.status() {
        200 => {
            let json = answer.json();
            Ok(json["ingress"].as_str().or(json["pipeline"].as_str()).expect("an echo").to_owned())
        }
        status => Err(status),
    }
}

/// Starts a gateway with two pipelines and their ingress URLs.
async fn api() -> Site {
    let urls = [
        ("fhir", "fhir", "http://api.example.com/r4"),
        ("fhir", "elsewhere", "http://api.example.com:8443/r4"),
        ("fhir", "tls-only", "https://api.example.com/secure"),
        ("patients", "patients", "http://api.example.com/r4/Patient"),
        ("patients", "everything", "http://open.example.com"),
        ("patients", "dicom", "http://api.example.com/dicom%2Dweb/a%5Eb"),
    ];
    let mut text = echo("fhir", "/fhir-endpoint") + &echo("patients", "/patients-endpoint");
    for (pipeline, name, url) in urls {
        text += &ingress(pipeline, name, url, "default");
    }
    Site::serving(&text).await
}

async fn assert_reached(site: &Site, table: &[(&str, &str, Result<&str, u16>)]) {
    for (host, path, expected) in table {
        let got = reached(site.port, host, path).await;
        assert_eq!(got, expected.map(str::to_owned), "{host} {path}");
    }
}

/// An ingress matches by scheme, host, port and path; the most specific one wins.
#[tokio::test]
async fn the_most_specific_ingress_wins() {
    let site = api().await;
    assert_reached(
        &site,
        &[
            ("api.example.com", "/r4", Ok("fhir")),
            ("api.example.com", "/r4/", Ok("fhir")),
            ("api.example.com", "/r4?q=/Patient", Ok("fhir")),
            ("api.example.com", "/r4/Observation/1", Ok("fhir")),
            ("api.example.com", "/r4/Patient", Ok("patients")),
            ("api.example.com", "/r4/Patient/7", Ok("patients")),
            ("api.example.com:8443", "/r4/Patient", Ok("elsewhere")),
            ("open.example.com", "/", Ok("everything")),
            ("open.example.com", "/r4/Patient", Ok("everything")),
            ("api.example.com", "/", Err(404)),
            ("api.example.com", "/secure", Err(404)),
            ("api.example.com:443", "/secure", Err(404)),
            ("api.example.com:8080", "/r4", Err(404)),
            ("other.example.com", "/r4", Err(404)),
            ("example.com", "/r4", Err(404)),
        ],
    )
    .await;
}

#[tokio::test]
async fn ingress_paths_match_whole_segments() {
    assert_reached(
        &api().await,
        &[
            ("api.example.com", "/r4evil", Err(404)),
            ("api.example.com", "/r4.evil/Patient", Err(404)),
            ("api.example.com", "/r4/Patientevil", Ok("fhir")),
            ("api.example.com", "/r", Err(404)),
            ("api.example.com", "/R4", Err(404)),
            // A server that decodes it first finds /r4/Patient.
            ("api.example.com", "/r4%2FPatient", Err(400)),
        ],
    )
    .await;
}

/// Upper case, a trailing dot and the default port do not make another host.
#[tokio::test]
async fn hosts_are_normalized() {
    assert_reached(
        &api().await,
        &[
            ("API.Example.COM", "/r4", Ok("fhir")),
            ("api.example.com.", "/r4", Ok("fhir")),
            ("api.example.com:80", "/r4", Ok("fhir")),
            ("api.example.com:", "/r4", Ok("fhir")),
            ("Api.Example.Com.:80", "/r4", Ok("fhir")),
            ("API.example.com.:8443", "/r4", Ok("elsewhere")),
        ],
    )
    .await;
}

/// The host of an absolute request target has precedence over the Host header.
#[tokio::test]
async fn an_absolute_target_overrides_the_host() {
    let site = api().await;
    let request = "GET http://api.example.com/r4/Patient HTTP/1.1\r\nHost: open.example.com\r\n\
                   Connection: close\r\n\r\n";
    assert_eq!(Raw::send(site.port, request).await.json()["ingress"], "patients");
}

#[tokio::test]
async fn equivalent_paths_reach_the_same_route() {
    assert_reached(
        &api().await,
        &[
            ("api.example.com", "/%72%34/Observation", Ok("fhir")),
            ("api.example.com", "/r4/%50atient/7", Ok("patients")),
            ("api.example.com", "//r4//Patient", Ok("patients")),
            ("api.example.com", "///%724///P%61tient///", Ok("patients")),
            ("api.example.com", "/dicom-web/a%5eb/c", Ok("dicom")),
            ("api.example.com", "/dicom-web/a/b/c", Err(404)),
        ],
    )
    .await;
}

#[tokio::test]
async fn dot_segments_in_any_spelling_are_400() {
    let site = api().await;
    let paths = [
        "/r4/..",
        "/r4/../x",
        "/./r4",
        "/r4/%2e%2e/x",
        "/%2E/r4",
        "/r4/.%2e/x",
        "/r4/Patient/%2e",
        "/nowhere/..",
        "/r4/%252e%252e",
    ];
    for path in paths {
        assert_eq!(reached(site.port, "api.example.com", path).await, Err(400), "{path}");
    }
    for path in ["/r4/...", "/r4/.well-known", "/r4/a..b", "/r4?x=/../"] {
        assert_eq!(reached(site.port, "api.example.com", path).await, Ok("fhir".to_owned()), "{path}");
    }
}

/// The endpoint with the longest path prefix wins; the prefix is removed.
#[tokio::test]
async fn the_longest_path_prefix_wins() {
    let site = Site::serving(&(echo("all", "/") + &echo("fhir", "/fhir/") + &echo("r4", "/fhir/r4"))).await;
    for (path, pipeline, rest) in [
        ("/", "all", "/"),
        ("/fhirx/1", "all", "/fhirx/1"),
        ("/fhir", "fhir", "/"),
        ("/fhir/", "fhir", "/"),
        ("/fhir/r5/Patient", "fhir", "/r5/Patient"),
        ("/fhir/r4/Patient/1", "r4", "/Patient/1"),
        ("//fhir/%724/a%20b", "r4", "/a%20b"),
    ] {
        let json = Raw::get(site.port, "anything.example", path).await.json();
        assert_eq!(
            (json["pipeline"].as_str(), json["path"].as_str()),
            (Some(pipeline), Some(rest)),
            "{path}"
        );
        assert_eq!(json["full_path"], path);
    }
}

/// An ingress has precedence over endpoint paths and uses the endpoint it names.
#[tokio::test]
async fn an_ingress_overrides_endpoint_paths() {
    let text = echo("all", "/").replace("endpoints = [\"all\"]", "endpoints = [\"all\", \"named\"]")
        + "[endpoints.named]\nservice = \"http\"\noptions.path_prefix = \"/named\"\n"
        + &echo("longer", "/r4/Patient")
        + &ingress("all", "in", "http://api.example.com/r4", "default")
        + "endpoint = \"named\"\n";
    let site = Site::serving(&text).await;
    let json = Raw::get(site.port, "api.example.com", "/r4/Patient/7").await.json();
    assert_eq!(
        (&json["ingress"], &json["endpoint"], &json["path"]),
        (&Value::from("in"), &Value::from("named"), &Value::from("/Patient/7"))
    );
    let json = Raw::get(site.port, "other.example.com", "/r4/Patient/7").await.json();
    assert_eq!((&json["ingress"], &json["pipeline"]), (&Value::Null, &Value::from("longer")));
}

#[tokio::test]
async fn pipelines_serve_their_own_networks_only() {
    let inner = free_port();
    let network = format!("[network.inner.http]\nbind_address = \"127.0.0.1\"\nbind_port = {inner}\n");
    let hidden = echo("hidden", "/hidden").replace("\"public\"", "\"inner\"")
        + &ingress("hidden", "hidden-in", "http://api.example.com/r4", "default");
    let both = echo("both", "/both").replace("[\"public\"]", "[\"public\", \"inner\"]");
    let site = Site::with(&format!("{BASE}{network}{hidden}{both}"), Workdir::new()).await;
    for (path, name) in [("/r4", "hidden-in"), ("/hidden", "hidden"), ("/both", "both")] {
        assert_eq!(reached(inner, "api.example.com", path).await, Ok(name.to_owned()), "{path}");
    }
    for (path, expected) in [("/r4", Err(404)), ("/hidden", Err(404)), ("/both", Ok("both".to_owned()))] {
        assert_eq!(reached(site.port, "api.example.com", path).await, expected, "{path}");
        assert_eq!(reached(site.admin, "api.example.com", path).await, Err(404), "{path}");
    }
}

#[tokio::test]
async fn no_route_is_404_as_json() {
    let site = Site::serving(&echo("fhir", "/fhir")).await;
    let answer = Raw::get(site.port, "localhost", "/other").await;
    assert_eq!(answer.status(), 404);
    assert!(answer.head().contains("content-type: application/json"), "{}", answer.0);
    assert_eq!(answer.json()["error"], "no_route");
    assert!(answer.json()["message"].is_string());
}

#[tokio::test]
async fn http_1_and_http_2_have_the_same_routes() {
    let site = Site::serving(&echo("all", "/all")).await;
    let named = format!("http://api.example.com:{}/r4", site.port);
    let config = site.dir.read("config.toml") + &ingress("all", "in", &named, "default");
    site.dir.replace("config.toml", &config);
    site.host.reload().await;
    let builder = || {
        Client::builder().tls_certs_only([]).resolve("api.example.com", ([127, 0, 0, 1], site.port).into())
    };
    let clients = [
        (builder().http1_only().build().unwrap(), Version::HTTP_11),
        (builder().http2_prior_knowledge().build().unwrap(), Version::HTTP_2),
    ];
    for (client, version) in clients {
        let answer = client.get(format!("{named}/Patient")).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        let json: Value = answer.json().await.unwrap();
        assert_eq!((&json["ingress"], &json["path"]), (&Value::from("in"), &Value::from("/Patient")));
        let evil = client.get(format!("{named}evil")).send().await.unwrap();
        assert_eq!((evil.status().as_u16(), evil.version()), (404, version));
        let post = client.post(format!("{named}/x")).body("sent").send().await.unwrap();
        assert_eq!(post.json::<Value>().await.unwrap()["body"], "sent");
    }
    let plain = client().get(site.url("/r4")).send().await.unwrap();
    assert_eq!(plain.status().as_u16(), 404, "the ingress is not reachable by another host");
}
