//! One path, one meaning: routing, the token check and what is sent use the same normal form.

mod characters;

use harmony_host::{Capabilities, Host, HostOptions, RequestHead, Scheme, Snapshot};
use harmony_tests::site::{BASE, forward, ingress, mesh};
use harmony_tests::{Forged, NullActivation, Raw, Site, Upstream, Workdir};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

/// Paths that a backend may read as others, with and without a token.
const WITHOUT_NORMAL_FORM: [&str; 16] = [
    "/r4\\admin",
    "/r4\\..\\admin",
    "/r4;x/..",
    "/r4/..;/admin",
    "/r4%3Bx",
    "/r4%3bx/..",
    "/r4;x",
    "/r4%2f",
    "/r4%2fadmin",
    "/r4%5c",
    "/r4%5Cadmin",
    "/r4%00",
    "/r4%252f..%252fadmin",
    "/r4/%252e%252e/admin",
    "/r4/%c0%ae%c0%ae/admin",
    "/r4%c0%af",
];

#[tokio::test]
async fn same_path_same_meaning() {
    let [records, public] = [Upstream::with_body("records").await, Upstream::with_body("public").await];
    let text = forward("records", "/r4", &records.url())
        + &ingress("records", "in", "http://api.example.com/r4", "mesh")
        + &forward("public", "/", &public.url())
        + &mesh("clinic", "in");
    let site = Site::serving(&text).await;
    let token = Forged::of("clinic").claim("aud", json!("http://api.example.com/r4")).jwt();
    for path in WITHOUT_NORMAL_FORM {
        for authorization in [String::new(), format!("Authorization: Bearer {token}\r\n")] {
            let head = format!(
                "GET {path} HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n{authorization}\r\n"
            );
            assert_eq!(Raw::send(site.port, head).await.status(), 400, "{path} {authorization}");
        }
    }
    assert!(records.requests().is_empty() && public.requests().is_empty());
}

/// Paths of FHIR and DICOMweb, queries and delimiters arrive as they were sent.
#[tokio::test]
async fn legitimate_paths_arrive() {
    let upstream = Upstream::with_body("answered").await;
    let site = Site::serving(&forward("api", "/api", &format!("{}/base", upstream.url()))).await;
    for path in [
        "/Patient/$everything?_since=2024-01-01T00:00:00Z&code=http://loinc.org|1234-5,6",
        "/Observation?value-quantity=gt5.4|http://unitsofmeasure.org|mg",
        "/studies/1.2.840.1/series/2.25.3/instances/4/frames/1,2",
        "/studies/1/rendered?accept=application/dicom+json;transfer-syntax=*",
        "/Patient/1;v=2/name",
        "/names/%C3%89ric/a%20b",
        "/files/a%2Fb/100%25",
        "/r4/.../a..b/.well-known",
        "/x//y/",
    ] {
        let answer = Raw::get(site.port, "localhost", &format!("/api{path}")).await;
        assert_eq!(answer.status(), 200, "{path}");
        // A bar does not belong into a URL, and is escaped.
        assert_eq!(upstream.last_request().uri.to_string(), format!("/base{path}").replace('|', "%7C"));
    }
}

/// A prefix that is not in the normal form of any request is rejected where it is written.
#[tokio::test]
async fn prefixes_without_a_normal_form_are_rejected() {
    let base = BASE.replace("PORT", "1").replace("ADMIN", "2");
    for wrong in ["/r4/../x", "/r4;x", "/r4%2fx", "/r4%3Bx", "/r4%00", "/r4\\\\x", "/r4%252f", "/r4%c0%af"] {
        for (text, key) in [
            (forward("a", wrong, "http://b.example"), "endpoints.a.options.path_prefix"),
            (
                forward("a", "/a", "http://b.example")
                    + &ingress("a", "in", &format!("http://a.example{wrong}"), "default"),
                "pipelines.a.mesh.ingress.in",
            ),
        ] {
            let dir = Workdir::with([("config.toml", format!("{base}{text}"))]);
            let mut options = HostOptions::new(dir.config(), harmony_host::registry());
            options.state_dir = dir.path().join("state");
            let served = Capabilities::new().with_endpoint("http").with_backend("http");
            let rejection = harmony_host::check(&options, served).await.expect_err(wrong);
            let found: Vec<String> = rejection.problems.errors().map(ToString::to_string).collect();
            let at = |e: &String| e.starts_with("config.toml:") && e.contains(key);
            assert!(found.iter().any(at), "{wrong}: {found:?}");
        }
    }
}

/// The segments of a path as servers of several kinds look them up.
fn readings(path: &str) -> Vec<Vec<String>> {
    let without_parameters = |path: &str| {
        path.split('/').map(|s| s.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/")
    };
    let once = decode(path);
    let twice = decode(&once);
    let mut all = Vec::new();
    for text in [path, &once, &twice] {
        all.extend([text.to_owned(), without_parameters(text), text.replace('\\', "/")]);
        all.push(text.split(['\0', '?', '#']).next().unwrap_or_default().to_owned());
    }
    all.push(decode(&without_parameters(path)));
    // Escapes of one letter mean that letter to every server.
    all.iter().map(|text| resolve(&text.replace("%6f", "o").replace("%6F", "o"))).collect()
}

fn decode(path: &str) -> String {
    let mut out = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn resolve(path: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for segment in path.split('/') {
        match segment.trim_end_matches(' ') {
            "" if segment.is_empty() => {}
            "." => {}
            ".." => drop(out.pop()),
            _ => out.push(segment.to_owned()),
        }
    }
    out
}

/// The endpoint of the longest prefix.
fn endpoint_of(segments: &[String]) -> &'static str {
    match segments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["open", "closed", ..] => "closed",
        ["open", ..] => "open",
        _ => "all",
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/",
        "/",
        "/",
        "open",
        "/open",
        "/open/closed",
        "closed",
        "a",
        ".",
        "..",
        ";",
        ";x",
        "\\",
        "%2f",
        "%2F",
        "%5c",
        "%00",
        "%2e",
        "%3b",
        "%3F",
        "%23",
        "%25",
        "25",
        "2e",
        "2f",
        "%20",
        "%c0%af",
        "%6f",
        "$",
        "%24",
        ":",
    ]);
    prop::collection::vec(piece, 1..8).prop_map(|pieces| format!("/{}", pieces.concat()))
}

async fn serving() -> (Host, Workdir) {
    let text = forward("all", "/", "http://all.example/base")
        + &forward("open", "/open", "http://open.example/base")
        + &forward("closed", "/open/closed", "http://closed.example/base")
        + &ingress("closed", "in", "http://api.example/open/closed", "mesh")
        + &mesh("clinic", "in");
    let dir = Workdir::with([("config.toml", BASE.replace("PORT", "1").replace("ADMIN", "2") + &text)]);
    let mut options = HostOptions::new(dir.config(), harmony_host::registry());
    options.state_dir = dir.path().join("state");
    let application = NullActivation(Capabilities::new().with_endpoint("http").with_backend("http"));
    (Host::start(options, application).await.expect("it starts"), dir)
}

/// Admits a request for `path` and checks the route, the rule and the destination against every reading.
async fn agrees(snapshot: &Snapshot, path: &str, aud: Option<&str>) -> Result<(), TestCaseError> {
    let mut headers = HeaderMap::new();
    if let Some(aud) = aud {
        let token = Forged::of("clinic").claim("aud", json!(format!("http://api.example{aud}"))).jwt();
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    }
    let head = RequestHead::new("public", Scheme::Http, "api.example", path, &headers);
    let Ok(admitted) = snapshot.admit(&head).await else { return Ok(()) };
    for read in readings(path) {
        prop_assert_eq!(admitted.endpoint(), endpoint_of(&read), "{} read as {:?}", path, read);
        if admitted.mesh().is_some() {
            let covered = read
                .iter()
                .map(|s| s.as_str())
                .zip(resolve(aud.unwrap_or_default()).iter())
                .all(|(a, b)| a == b);
            prop_assert!(covered, "{} with a token for {:?} read as {:?}", path, aud, read);
        }
    }
    prop_assert!(admitted.endpoint() != "closed" || admitted.mesh().is_some(), "{}", path);
    let destination = snapshot.destination(&admitted).await.unwrap().expect("an http backend");
    for url in destination.urls {
        let sent =
            url.url.strip_prefix(&format!("http://{}.example", admitted.endpoint())).expect("its backend");
        for read in readings(sent) {
            prop_assert_eq!(read.first().map(String::as_str), Some("base"), "{} was sent as {}", path, sent);
        }
        prop_assert!(sent.strip_prefix("/base").is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
        prop_assert_eq!(provider_api::UrlPath::parse(sent).map(|p| p.as_str() == sent), Ok(true), "{}", sent);
    }
    Ok(())
}

/// For any path: the route, the admission and the target all derive from one normal form, and no path is admitted that
/// some server reads as one of another route.
#[test]
fn route_admission_and_target_agree() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (host, _dir) = runtime.block_on(serving());
    let snapshot = host.snapshot();
    let aud = prop::sample::select(vec![
        None,
        Some("/open/closed"),
        Some("/open/closed/a"),
        Some("/open"),
        Some("/x/.."),
    ]);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(4000) });
    let all = runner.run(&(hostile(), aud), |(path, aud)| runtime.block_on(agrees(&snapshot, &path, aud)));
    all.unwrap_or_else(|failure| panic!("{failure}"));
}
