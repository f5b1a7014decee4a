//! The management API: its responses, and the rules of access to it.

use harmony_tests::site::{BASE, echo, forward, ingress, mesh, pipeline};
use harmony_tests::{Raw, SECRET, Site, Workdir, client};
use reqwest::StatusCode;
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdef0123456789abcdef-management";

fn with_token() -> String {
    BASE.replace("network = \"management\"\n", &format!("network = \"management\"\ntoken = \"{TOKEN}\"\n"))
}

/// Starts a gateway with a mesh, one pipeline that is served and one that is not.
async fn site() -> Site {
    let sections = echo("fhir", "/fhir").replace("[endpoints", "description = \"Patients\"\n[endpoints")
        + &ingress("fhir", "api", "https://api.example.com/r4", "mesh")
        + &pipeline("dicom", "/dicom", "service = \"dicom_scu\"")
        + &mesh("clinic", "api");
    Site::with(&format!("{}{sections}", with_token()), Workdir::new()).await
}

async fn read(site: &Site, path: &str) -> Value {
    let answer = client().get(site.admin_url(path)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    assert_eq!(answer.headers()["content-type"], "application/json", "{path}");
    answer.json().await.unwrap()
}

async fn post(url: String, headers: &[(&str, &str)], body: &'static str) -> (u16, Value) {
    let mut request = client().post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Sends a GET request with these header lines, including Host, and returns the status.
async fn get_status(port: u16, lines: &str) -> u16 {
    let request = format!("GET /admin/info HTTP/1.1\r\n{lines}\r\nConnection: close\r\n\r\n");
    Raw::send(port, request).await.status()
}

#[tokio::test]
async fn info_identifies_the_gateway() {
    let info = read(&site().await, "/admin/info").await;
    assert_eq!(
        (&info["id"], &info["os"], &info["arch"]),
        (&"site".into(), &std::env::consts::OS.into(), &std::env::consts::ARCH.into())
    );
    assert!(info["version"].is_string() && info["uptime"].is_u64(), "{info}");
}

/// The list of pipelines contains their parts, and the reason for which one is not served.
#[tokio::test]
async fn pipelines_are_listed_with_their_parts() {
    let listed = read(&site().await, "/admin/pipelines").await;
    let [dicom, fhir] = listed["pipelines"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    let expected = json!({
        "id": "fhir", "description": "Patients", "networks": ["public"], "endpoints": ["fhir"],
        "backends": ["fhir"], "middleware": [], "ingress": ["api"], "egress": [], "not_served": null,
    });
    assert_eq!(*fhir, expected);
    assert!(dicom["not_served"].as_str().unwrap().contains("`dicom_scu`"), "{dicom}");
}

#[tokio::test]
async fn routes_are_listed_by_path_and_by_url() {
    let listed = read(&site().await, "/admin/routes").await;
    let routes = listed["routes"].as_array().unwrap();
    let find =
        |path: &str| routes.iter().find(|r| r["path"] == path).unwrap_or_else(|| panic!("{path}: {listed}"));
    assert_eq!(find("/fhir")["pipeline"], "fhir");
    assert_eq!(find("/fhir")["service_type"], "http");
    assert_eq!((&find("/dicom")["served"], &find("/fhir")["served"]), (&json!(false), &json!(true)));
    let ingress = find("https://api.example.com/r4");
    assert_eq!((&ingress["ingress"], &ingress["mode"]), (&json!("api"), &json!("mesh")));
}

#[tokio::test]
async fn the_status_shows_a_problem_until_it_is_fixed() {
    let site = site().await;
    let status = read(&site, "/admin/config/status").await;
    assert_eq!((&status["in_sync"], &status["reason"]), (&json!(true), &Value::Null));
    assert_eq!(status["current_networks"]["public"]["bind_port"], site.port);
    assert_eq!(status["files"][0]["name"], "config.toml");
    let provider = read(&site, "/admin/provider").await;
    assert_eq!(
        (&provider["provider"]["name"], &provider["provider"]["polling"]),
        (&json!("local"), &json!("disabled"))
    );
    assert_eq!(provider["provider"]["abilities"], json!(["resolve", "mesh_auth"]));
    assert_eq!(provider["effective"]["generation"], 1);
    assert!(provider["effective"]["warnings"].to_string().contains("dicom_scu"), "{provider}");

    site.dir.edit("config.toml", "mode = \"mesh\"", "mode = \"mash\"");
    let (code, verdict) = post(site.admin_url("/admin/reload"), &[], "").await;
    assert_eq!((code, &verdict["success"], &verdict["class"]), (422, &json!(false), &json!("parse")));
    assert_eq!(verdict["problems"][0]["key"], "pipelines.fhir.mesh.ingress.api.mode");
    let provider = read(&site, "/admin/provider").await;
    assert_eq!(
        (&provider["in_sync"], &provider["attempted"]["verdict"]),
        (&json!(false), &json!("rejected"))
    );
    assert_ne!(provider["desired"]["digest"], provider["effective"]["digest"]);
    let line = provider["attempted"]["problems"][0]["line"].as_u64().unwrap() as usize;
    assert!(site.dir.read("config.toml").lines().nth(line - 1).unwrap().contains("mash"), "line {line}");
    let health = read(&site, "/admin/health").await;
    assert_eq!(health, json!({ "live": true, "ready": true, "in_sync": false }));

    site.dir.edit("config.toml", "mode = \"mash\"", "mode = \"default\"");
    let (code, verdict) = post(site.admin_url("/admin/reload"), &[], "").await;
    assert_eq!((code, &verdict["success"]), (200, &json!(true)), "{verdict}");
    assert_eq!(read(&site, "/admin/health").await["in_sync"], true);
    assert_eq!(read(&site, "/admin/provider").await["effective"]["generation"], 2);
}

/// A reload can be requested below the base path and at `/api/reload`, which the command line client uses.
#[tokio::test]
async fn reload_has_two_paths() {
    let base =
        BASE.replace("network = \"management\"\n", "network = \"management\"\nbase_path = \"ops/v1\"\n");
    let site = Site::with(&base, Workdir::new()).await;
    for path in ["/ops/v1/reload", "/api/reload"] {
        let (code, verdict) = post(site.admin_url(path), &[("content-type", "application/json")], "{}").await;
        assert_eq!((code, &verdict["verdict"]), (200, &json!("unchanged")), "{path}");
        assert_eq!(client().get(site.admin_url(path)).send().await.unwrap().status(), 405, "{path}");
    }
    assert_eq!(client().get(site.admin_url("/ops/v1/info")).send().await.unwrap().status(), 200);
    assert_eq!(client().get(site.admin_url("/admin/info")).send().await.unwrap().status(), 404);
    assert_eq!(client().get(site.admin_url("/ops/v1/nothing")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn management_is_on_its_own_network_only() {
    let site = Site::with(&format!("{}{}", with_token(), echo("all", "/")), Workdir::new()).await;
    for path in ["/admin/info", "/admin/pipelines", "/api/reload", "/%61dmin/info"] {
        let request = client().post(site.url(path)).bearer_auth(TOKEN);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!((&answer["pipeline"], &answer["full_path"]), (&json!("all"), &json!(path)));
    }
    let disabled = BASE.replace("enabled = true", "enabled = false");
    let site = Site::with(&disabled, Workdir::new()).await;
    assert_eq!(client().get(site.admin_url("/admin/info")).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn forwarded_requests_need_the_token() {
    let (open, closed) = (Site::serving("").await, Site::with(&with_token(), Workdir::new()).await);
    let host = "Host: 127.0.0.1";
    assert_eq!((get_status(open.admin, host).await, get_status(closed.admin, host).await), (200, 200));
    for header in
        ["X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "Via: 1.1 proxy", "X-Real-IP: ::1"]
    {
        let lines = format!("{host}\r\n{header}");
        assert_eq!(get_status(open.admin, &lines).await, 403, "{header}");
        assert_eq!(get_status(closed.admin, &lines).await, 401, "{header}");
        let wrong = format!("{lines}\r\nAuthorization: Bearer {}x", &TOKEN[1..]);
        assert_eq!(get_status(closed.admin, &wrong).await, 401, "{header}");
        assert_eq!(
            get_status(closed.admin, &format!("{lines}\r\nAuthorization: Bearer {TOKEN}")).await,
            200,
            "{header}"
        );
    }
    let through = forward("admin", "/", &format!("http://127.0.0.1:{}", closed.admin));
    let proxy = Site::serving(&through).await;
    assert_eq!(
        Raw::get(proxy.port, "127.0.0.1", "/admin/info").await.status(),
        401,
        "the request came through another gateway"
    );
}

/// RFC 9110, section 11.1: the name of an authentication scheme is case-insensitive.
#[tokio::test]
async fn the_bearer_scheme_is_case_insensitive() {
    let site = Site::with(&with_token(), Workdir::new()).await;
    let lines = format!("Host: 127.0.0.1\r\nVia: 1.1 proxy\r\nAuthorization: bearer {TOKEN}");
    assert_eq!(get_status(site.admin, &lines).await, 200);
}

#[tokio::test]
async fn foreign_host_names_are_403() {
    let site = Site::with(&with_token(), Workdir::new()).await;
    for (host, status) in [
        ("localhost", 200),
        ("LOCALHOST:9090", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:9090", 200),
        ("evil.example", 403),
        ("evil.example:9090", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
    ] {
        assert_eq!(get_status(site.admin, &format!("Host: {host}")).await, status, "{host:?}");
    }
    assert_eq!(
        get_status(site.admin, &format!("Host: ops.example\r\nAuthorization: Bearer {TOKEN}")).await,
        200
    );
    let absolute =
        "GET http://evil.example/admin/info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(Raw::send(site.admin, absolute).await.status(), 403);
}

#[tokio::test]
async fn cross_site_requests_are_rejected() {
    let site = Site::serving("").await;
    let same = format!("http://127.0.0.1:{}", site.admin);
    for (headers, body, status) in [
        (&[("origin", "https://evil.example")][..], "", 403),
        (&[("origin", "null")], "", 403),
        (&[("origin", "http://127.0.0.1:1")], "", 403),
        (&[("sec-fetch-site", "cross-site")], "", 403),
        (&[("sec-fetch-site", "same-site")], "", 403),
        (&[("content-type", "text/plain")], "{}", 415),
        (&[("content-type", "application/x-www-form-urlencoded")], "a=b", 415),
        (&[("content-type", "multipart/form-data; boundary=x")], "", 415),
        (&[], "{}", 415),
        (&[("content-type", "application/json")], "{}", 200),
        (&[("origin", &same), ("sec-fetch-site", "same-origin")], "", 200),
        (&[("sec-fetch-site", "none")], "", 200),
    ] {
        for path in ["/admin/reload", "/api/reload"] {
            let (code, answer) = post(site.admin_url(path), headers, body).await;
            assert_eq!(code, status, "{headers:?} {body:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn management_responses_have_no_secrets() {
    let site = site().await;
    let paths = ["info", "pipelines", "routes", "config/status", "provider", "health", "nothing"];
    for broken in [false, true] {
        if broken {
            let text =
                site.dir.read("config.toml").replace("type = \"http\"\nprovider", "type = 7\nprovider");
            site.dir.replace("config.toml", &format!("{text}jwt_secret = \"{SECRET}\"\n\"{SECRET}\"\n"));
        }
        let (code, verdict) = post(site.admin_url("/api/reload"), &[], "").await;
        assert_eq!(code, if broken { 422 } else { 200 }, "{verdict}");
        let mut all = verdict.to_string();
        for path in paths {
            let answer = client().get(site.admin_url(&format!("/admin/{path}"))).send().await.unwrap();
            all += &format!("{:?}{}", answer.headers().clone(), answer.text().await.unwrap());
        }
        assert!(!all.contains(SECRET) && !all.contains(TOKEN), "{all}");
    }
}

/// Liveness and readiness answer anybody, and show nothing else.
#[tokio::test]
async fn health_answers_anybody() {
    let alone = Site::with(&with_token(), Workdir::new()).await;
    let peer: std::net::SocketAddr = "10.0.0.7:50000".parse().unwrap();
    let ask = async |site: &Site, method: &str, path: &str, host: &str| {
        let request = http::Request::builder().method(method).uri(path).header("host", host);
        let request = request.header("via", "1.1 proxy").body(String::new()).unwrap();
        let answer = harmony_host::Management::new(&site.host).handle(peer, request).await;
        let status = answer.status().as_u16();
        let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    let healthy = json!({ "live": true, "ready": true });
    for path in ["/health", "/admin/health"] {
        assert_eq!(ask(&alone, "GET", path, "balancer.example").await, (200, healthy.clone()), "{path}");
        assert_eq!(ask(&alone, "POST", path, "balancer.example").await.0, 405, "{path}");
    }
    for (path, answer) in [
        ("/health/live", json!({ "live": true })),
        ("/admin/health/live", json!({ "live": true })),
        ("/health/ready", json!({ "ready": true, "state": "ready" })),
        ("/admin/health/ready", json!({ "ready": true, "state": "ready" })),
    ] {
        assert_eq!(ask(&alone, "GET", path, "balancer.example").await, (200, answer), "{path}");
        assert_eq!(ask(&alone, "POST", path, "balancer.example").await.0, 405, "{path}");
    }
    for path in ["/admin/info", "/healthy", "/health/more", "/health/ready/more", "/admin/log", "/admin", "/"]
    {
        assert_eq!(ask(&alone, "GET", path, "balancer.example").await.0, 401, "{path}");
    }
    assert_eq!(read(&alone, "/health").await, healthy, "over the listener");
    assert_eq!(read(&alone, "/admin/health").await["in_sync"], true, "an operator sees more");
}

/// On a network that serves pipelines too, `/health` is theirs.
#[tokio::test]
async fn health_of_a_shared_network_is_below_the_base() {
    let base = BASE.replace("network = \"management\"\n", "network = \"public\"\n");
    let site = Site::with(&format!("{base}{}", echo("all", "/")), Workdir::new()).await;
    let get = async |path: &str| -> Value {
        client().get(site.url(path)).send().await.unwrap().json().await.unwrap()
    };
    for path in ["/health", "/health/live", "/health/ready"] {
        assert_eq!(get(path).await["pipeline"], "all", "{path}");
    }
    assert_eq!(get("/admin/health").await["ready"], true);
    assert_eq!(get("/admin/health/ready").await["ready"], true);
}

/// `/health` is a pipeline's only if it has that path, and `check` tells it, as it does for a path below the API's own.
#[tokio::test]
async fn paths_of_the_api_are_warned_about() {
    for (path, owner, warning) in [
        ("/a", None, None),
        ("/", Some("all"), Some("answers `/health`")),
        ("/health", Some("all"), Some("answers `/health`")),
        ("/%68ealth/", Some("all"), Some("answers `/health`")),
        ("/health/deep", None, None),
        ("/health/ready", None, Some("answers `/health/ready`")),
        ("/admin", None, Some("gets no request")),
        ("/admin/info", None, Some("gets no request")),
        ("/api/reload", None, Some("gets no request")),
    ] {
        let base = BASE.replace("network = \"management\"\n", "network = \"public\"\n");
        let site = Site::with(&format!("{base}{}", echo("all", path)), Workdir::new()).await;
        let health: Value = client().get(site.url("/health")).send().await.unwrap().json().await.unwrap();
        assert_eq!(health["pipeline"].as_str(), owner, "{path}: {health}");
        assert_eq!(health["ready"].as_bool(), owner.is_none().then_some(true), "{path}: {health}");
        let snapshot = site.host.snapshot();
        let found: Vec<String> = snapshot.warnings().iter().map(ToString::to_string).collect();
        assert_eq!(
            found.iter().any(|found| found.contains("the management API")),
            warning.is_some(),
            "{found:?}"
        );
        assert!(warning.is_none_or(|warning| found.iter().any(|found| found.contains(warning))), "{found:?}");
    }
}

/// The case `management_without_network`: 127.0.0.1:9090, and nothing in an application that embeds the host.
#[tokio::test]
async fn management_without_network() {
    let config = BASE.replace("network = \"management\"\n", "");
    let dir = Workdir::new();
    let (port, admin) = (harmony_tests::free_port(), harmony_tests::free_port());
    dir.write("config.toml", &harmony_tests::site::on_ports(&config, port, admin));
    let options = || {
        let mut options = harmony_host::HostOptions::new(dir.config(), harmony_host::registry());
        options.state_dir = dir.path().join("state");
        options
    };
    let address: std::net::SocketAddr = "127.0.0.1:9090".parse().unwrap();
    match harmony_host::RunningGateway::start(options()).await {
        Ok(gateway) => {
            assert!(gateway.addresses().contains(&address), "{:?}", gateway.addresses());
            let info: Value =
                client().get("http://127.0.0.1:9090/admin/info").send().await.unwrap().json().await.unwrap();
            assert_eq!(info["id"], "site");
            gateway.shut_down(std::time::Duration::from_secs(5)).await;
        }
        // Another program of this machine has the port.
        Err(refusal) => {
            let problems: Vec<String> = refusal.problems.errors().map(ToString::to_string).collect();
            assert!(problems.len() == 1 && problems[0].contains("127.0.0.1:9090"), "{problems:?}");
        }
    }
    // Neither pipelines nor changes can name that network.
    for name in ["management (default)", "management"] {
        let pipeline = echo("fhir", "/fhir").replace("[\"public\"]", &format!("[{name:?}]"));
        let sections = config.replace("[network.management.http]", "[network.other.http]") + &pipeline;
        dir.write("config.toml", &harmony_tests::site::on_ports(&sections, port, admin));
        let refusal = harmony_host::check(&options(), harmony_host::Capabilities::new()).await;
        let problems = format!("{refusal:?}");
        assert!(problems.contains("there is no"), "{name}: {problems}");
    }
}

/// A server in front may read another line of a repeated header than this one.
#[tokio::test]
async fn repeated_headers_are_a_bad_request() {
    let site = Site::serving("").await;
    let request = |path: &str, headers: &[(&str, &str)]| {
        let all = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<String>();
        format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{all}\r\n")
    };
    let local = ("Host", "localhost");
    for (path, headers, expected) in [
        ("/admin/info", vec![local], 200),
        ("/admin/info", vec![local, local], 400),
        ("/admin/info", vec![local, ("Host", "evil.example")], 400),
        ("http://localhost/admin/info", vec![local, ("Host", "evil.example")], 400),
        ("/admin/health", vec![local, local], 400),
        ("/admin/info", vec![local, ("Origin", "http://localhost"), ("Origin", "http://evil.example")], 400),
        ("/admin/info", vec![local, ("Authorization", "Bearer a"), ("Authorization", "Bearer b")], 400),
    ] {
        let answer = Raw::send(site.admin, request(path, &headers)).await;
        assert_eq!(answer.status(), expected, "{path} {headers:?}");
    }
}
