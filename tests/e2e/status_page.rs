//! The status page as HTTP: who gets it, its policy, its tag, and what it never shows. Browsers test it in tests/browser.

use harmony_tests::control_plane::ControlPlane;
use harmony_tests::site::{BASE, echo, forward, ingress, mesh};
use harmony_tests::{InProcessGateway, Site, Workdir, client, eventually};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdef0123456789abcdef-management";
const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
const PROXIED: (&str, &str) = ("via", "1.1 proxy");

fn with_token() -> String {
    BASE.replace("network = \"management\"\n", &format!("network = \"management\"\ntoken = \"{TOKEN}\"\n"))
}

async fn ask(site: &Site, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = client.request(method, site.admin_url(path));
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap()
}

async fn get(site: &Site, path: &str, headers: &[(&str, &str)]) -> Response {
    ask(site, Method::GET, path, headers).await
}

async fn page(site: &Site) -> String {
    let answer = get(site, "/admin/", &[HTML]).await;
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

#[tokio::test]
async fn browsers_get_the_page_and_programs_the_api() {
    let site = Site::with(&with_token(), Workdir::new()).await;
    for path in ["/admin", "/admin/"] {
        let answer = get(&site, path, &[HTML]).await;
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        assert!(answer.text().await.unwrap().contains("In sync with the files, serving generation 1"));
        assert_eq!(get(&site, path, &[("accept", "*/*")]).await.status(), 404, "{path} without text/html");
        assert_eq!(ask(&site, Method::HEAD, path, &[HTML]).await.status(), 200);
        assert_eq!(ask(&site, Method::POST, path, &[HTML]).await.status(), 404);
    }
    let root = get(&site, "/", &[HTML]).await;
    assert_eq!((root.status().as_u16(), &root.headers()["location"]), (307, &"/admin/".parse().unwrap()));
    assert_eq!(client().get(site.url("/")).header(HTML.0, HTML.1).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn the_root_belongs_to_a_pipeline_of_the_network() {
    let shared = with_token() + &echo("all", "/").replace("\"public\"", "\"management\"");
    let site = Site::with(&shared, Workdir::new()).await;
    let answer: serde_json::Value = get(&site, "/", &[HTML]).await.json().await.unwrap();
    assert_eq!(answer["pipeline"], "all");
    assert!(page(&site).await.contains("generation 1"));
}

/// Nothing is loaded from elsewhere, no script or style is in the HTML, and nothing is kept.
#[tokio::test]
async fn the_policy_is_strict() {
    let site = Site::with(&with_token(), Workdir::new()).await;
    let answer = get(&site, "/admin/", &[HTML]).await;
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let text = answer.text().await.unwrap();
    assert!(!text.contains("style=\"") && !text.contains("<style") && !text.contains(" onclick"), "{text}");
    for (path, kind) in
        [("/admin/page.css", "text/css; charset=utf-8"), ("/admin/page.js", "text/javascript; charset=utf-8")]
    {
        assert!(text.contains(path), "{path}");
        let file = get(&site, path, &[]).await;
        assert_eq!((file.status().as_u16(), &file.headers()["content-type"]), (200, &kind.parse().unwrap()));
        assert!(!file.text().await.unwrap().contains("://"), "{path} names another origin");
    }
}

/// The guard is that of the API. Where a token opens it, a browser gets the page that asks for the token, and its files.
#[tokio::test]
async fn a_client_elsewhere_is_asked_for_the_token() {
    let site = Site::with(&with_token(), Workdir::new()).await;
    let answer = get(&site, "/admin/", &[HTML, PROXIED]).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["www-authenticate"]),
        (401, &"Bearer".parse().unwrap())
    );
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("id=\"token\"") && !text.contains("site") && !text.contains("generation"),
        "{text}"
    );
    assert_eq!(get(&site, "/admin/page.js", &[PROXIED]).await.status(), 200);
    let bearer = format!("Bearer {TOKEN}");
    let open = get(&site, "/admin/", &[HTML, PROXIED, ("authorization", &bearer)]).await;
    assert_eq!(open.status(), 200);
    // A name that leads to this machine (DNS rebinding), and a gateway without a token: no page, no files.
    let closed = Site::serving("").await;
    for (site, header) in [(&site, ("host", "evil.example")), (&closed, PROXIED)] {
        for path in ["/", "/admin/", "/admin/page.js", "/admin/page.css"] {
            assert_eq!(get(site, path, &[HTML, header]).await.status(), 403, "{path} {header:?}");
        }
    }
}

#[tokio::test]
async fn an_unchanged_page_is_a_304() {
    let site = Site::with(&with_token(), Workdir::new()).await;
    // The history and the saved configuration of the start are written a little later.
    let tag = eventually("the page stays as it is", || async {
        let first = get(&site, "/admin/", &[HTML]).await;
        let tag = first.headers()["etag"].to_str().unwrap().to_owned();
        let again = get(&site, "/admin/", &[HTML, ("if-none-match", &tag)]).await;
        let answer = (again.status().as_u16(), again.text().await.unwrap());
        if answer == (304, String::new()) { Ok(tag) } else { Err(answer) }
    })
    .await;
    let search = get(&site, "/admin/?q=other", &[HTML, ("if-none-match", &tag)]).await;
    assert_eq!(search.status(), 200, "another search is another page");
    site.dir.edit("config.toml", "id = \"site\"", "id = \"moved\"");
    site.host.reload().await;
    let changed = get(&site, "/admin/", &[HTML, ("if-none-match", &tag)]).await;
    assert_eq!(changed.status(), 200);
    assert!(changed.text().await.unwrap().contains("moved"));
}

/// Names and messages come from documents that a control plane may write.
#[tokio::test]
async fn text_of_documents_stays_text() {
    let hostile = "<script>alert(1)</script>\\\" onclick=\\\"x\\u202e";
    let sections = echo("fhir", "/fhir")
        .replace("[endpoints", &format!("description = \"{hostile}\"\n[endpoints"))
        + &ingress("fhir", "api", "https://api.example.com/r4", "mesh")
        + &mesh("clinic", "api")
        + &forward("out", "/out", "http://127.0.0.1:9/base");
    let site = Site::with(&(with_token() + &sections), Workdir::new()).await;
    let text = page(&site).await;
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot; onclick=&quot;x\\u{202e}"), "{text}");
    for shown in ["https://api.example.com/r4", "clinic", "http://127.0.0.1:9/base"] {
        assert!(text.contains(shown), "{shown}");
    }
    for secret in [harmony_tests::SECRET, TOKEN] {
        assert!(!text.contains(secret), "a secret is on the page");
    }
    let search = get(&site, "/admin/?q=%22%3E%3Cscript%3E", &[HTML]).await.text().await.unwrap();
    assert!(search.contains("value=\"&quot;&gt;&lt;script&gt;\""), "{search}");
}

#[tokio::test]
async fn a_broken_file_is_in_the_first_sentence() {
    let site = Site::with(&(with_token() + &echo("fhir", "/fhir")), Workdir::new()).await;
    site.dir.edit("config.toml", "endpoints = [\"fhir\"]", "endpoints = [\"fihr\"]");
    site.host.reload().await;
    let text = page(&site).await;
    let line = site.dir.read("config.toml").lines().position(|line| line.contains("fihr")).unwrap() + 1;
    let sentence = format!("Serving the last good configuration: config.toml:{line} is broken");
    assert!(text.contains(&sentence) && text.contains("did you mean"), "{text}");
}

/// A pause is on the page with its reason, and a page of another site can neither pause nor resume.
#[tokio::test]
async fn a_pause_is_on_the_page() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let page = async || {
        let answer = client().get(gateway.admin_url("/admin/")).header(HTML.0, HTML.1).send().await.unwrap();
        (answer.headers()["etag"].clone(), answer.text().await.unwrap())
    };
    let post = async |path: &str, body: Value, headers: &[(&str, &str)]| {
        let request = client().post(gateway.admin_url(path)).json(&body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.unwrap().status().as_u16()
    };
    let (before, text) = page().await;
    assert!(text.contains("action=\"/admin/sync/pause\"") && text.contains("as they come"), "{text}");
    let body = json!({ "reason": "a <b>migration</b>", "for_secs": 1800 });
    for header in [("origin", "https://evil.example"), ("host", "evil.example")] {
        assert_eq!(post("/admin/sync/pause", body.clone(), &[header]).await, 403, "{header:?}");
    }
    assert_eq!(post("/admin/sync/pause", body, &[]).await, 200);
    let (paused, text) = page().await;
    assert!(text.contains("a &lt;b&gt;migration&lt;/b&gt;") && text.contains(" by 127.0.0.1"), "{text}");
    assert!(text.contains("action=\"/admin/sync/resume\"") && !text.contains("sync/pause"), "{text}");
    assert_ne!(before, paused, "an open page is told");
    assert_eq!(post("/admin/sync/resume", json!({}), &[("origin", "https://evil.example")]).await, 403);
    assert_eq!(post("/admin/sync/resume", json!({}), &[]).await, 200);
    assert!(page().await.1.contains("as they come"));
    let local = Site::with(&with_token(), Workdir::new()).await;
    assert!(!self::page(&local).await.contains("sync/pause"), "there is no control plane");
}
