//! `harmony-host explain`: where a URL leads and why, what a reference is, what sets a key.

mod origins;

use harmony_tests::site::{BASE, echo, forward, ingress, mesh, on_ports, pipeline};
use harmony_tests::{Gateway, SECRET, Workdir, client, free_port, get};
use serde_json::Value;

use crate::command::{Ran, run};

const SECRET_OF_API: &str = "canary-token-0123456789abcdef0123";

/// A running gateway with a route of each kind.
struct Site {
    dir: Workdir,
    port: u16,
    admin: u16,
    _gateway: Gateway,
}

impl Site {
    async fn start() -> Self {
        let (port, admin) = (free_port(), free_port());
        let pipelines = echo("all", "/")
            + &echo("images", "/images")
            + &ingress("images", "in", &format!("http://api.example:{port}/r4"), "mesh")
            + &forward("studies", "/images/studies", "http://127.0.0.1:1/base")
            + &pipeline("dicom", "/dicom", "service = \"dicom_scu\"")
            + "[peers.off]\nenabled = false\n"
            + &echo("closed", "/closed")
                .replace("[endpoints.closed]\n", "[endpoints.closed]\npeer_ref = \"off\"\n");
        let dir = Workdir::new();
        dir.write("config.toml", &on_ports(&format!("{BASE}token = \"{SECRET_OF_API}\"\n"), port, admin));
        dir.write("pipelines/a.toml", &pipelines);
        dir.write("mesh/m.toml", &mesh("m", "in"));
        let gateway = Gateway::start(&dir.config()).await;
        Self { dir, port, admin, _gateway: gateway }
    }

    async fn explain(&self, what: &str) -> Ran {
        run(&self.dir.config(), &["explain", what]).await.lacks(&[SECRET, SECRET_OF_API])
    }

    async fn json(&self, what: &str) -> Value {
        let ran = run(&self.dir.config(), &["explain", what, "--json"]).await;
        ran.lacks(&[SECRET, SECRET_OF_API]).expect(0, &[]).json()
    }

    /// Explains a path on the network `public` by its URL.
    async fn path(&self, path: &str) -> Value {
        let answer = self.json(&format!("http://127.0.0.1:{}{path}", self.port)).await;
        assert_eq!(answer["what"], "url");
        let networks = answer["networks"].as_array().unwrap();
        assert_eq!(networks.len(), 1, "{answer:#}");
        assert_eq!(networks[0]["network"], "public");
        networks[0].clone()
    }
}

/// Returns why a route is not taken.
fn why_not<'n>(network: &'n Value, prefix: &str) -> &'n str {
    let others = network["others"].as_array().unwrap();
    let other = others.iter().find(|other| other["prefix"] == prefix);
    other.unwrap_or_else(|| panic!("{network:#}"))["why_not"].as_str().unwrap()
}

/// The explained route is the one that a request takes, and the explained status the one that it gets.
#[tokio::test]
async fn urls() {
    let site = Site::start().await;
    for (path, pipeline, outcome, status) in [
        ("/images/studies/7", "studies", "route", None),
        ("/images/7?token=canary", "images", "route", None),
        ("/other", "all", "route", None),
        ("/dicom/x", "dicom", "not_served", Some(501)),
        ("/closed", "closed", "closed", Some(503)),
    ] {
        let network = site.path(path).await;
        assert_eq!(network["outcome"], outcome, "{path}: {network:#}");
        assert_eq!(network["status"].as_u64(), status, "{path}");
        assert_eq!(network["route"]["pipeline"], pipeline, "{path}");
        let answer = get(format!("http://127.0.0.1:{}{path}", site.port)).await.unwrap();
        if let Some(status) = status {
            assert_eq!(u64::from(answer.status().as_u16()), status, "{path}");
        }
    }
    let studies = site.path("/images/studies/7").await;
    assert_eq!(why_not(&studies, "/images"), "/images/studies is longer");
    assert_eq!(why_not(&studies, "/"), "/images/studies is longer");
    let leads_to = &studies["route"]["leads_to"];
    assert_eq!((&leads_to["kind"], &leads_to["url"]), (&"url".into(), &"http://127.0.0.1:1/base".into()));
    assert_eq!((&leads_to["timeout_secs"], &leads_to["max_retries"]), (&30.into(), &3.into()));
    let bad = site.path("/images%2fx").await;
    assert_eq!((&bad["outcome"], &bad["status"]), (&"bad_request".into(), &400.into()), "{bad:#}");
    assert_eq!(get(format!("http://127.0.0.1:{}/images%2fx", site.port)).await.unwrap().status(), 400);
    let asked = site.json(&format!("http://u:pw@127.0.0.1:{}/images?secret=canary", site.port)).await;
    assert_eq!(asked["asked"], format!("http://127.0.0.1:{}/images", site.port));
}

/// The URL of an ingress: the mesh, the token that it wants, and every definition with its line.
#[tokio::test]
async fn ingress_of_a_mesh() {
    let site = Site::start().await;
    let answer = site.json(&format!("http://api.example:{}/r4/Patient", site.port)).await;
    let network = &answer["networks"][0];
    let route = &network["route"];
    assert_eq!((&route["ingress"], &route["endpoint"]), (&"in".into(), &"images".into()), "{answer:#}");
    assert_eq!(route["admission"]["token_required"], true);
    let token = &route["admission"]["tokens"][0];
    assert_eq!((&token["mesh"], &token["provider"]), (&"m".into(), &"local".into()));
    assert_eq!(token["kind"], "HS256, by the shared secret");
    assert_eq!(token["for_urls"][0], format!("http://api.example:{}/r4", site.port));
    assert!(why_not(network, "/").starts_with("the URL of an ingress, "), "{network:#}");
    let text = site.dir.read("pipelines/a.toml");
    for origin in route["defined"].as_array().unwrap() {
        let line = usize::try_from(origin["line"].as_u64().unwrap()).unwrap();
        let (kind, name) = origin["part"].as_str().unwrap().split_once(' ').unwrap();
        let written = text.lines().nth(line - 1).unwrap();
        assert!(written.starts_with('[') && written.contains(name), "{kind} {name}: {written}");
        assert_eq!((&origin["layer"], &origin["by"]), (&"file".into(), &"operator".into()));
    }
    let parts: Vec<&str> =
        route["defined"].as_array().unwrap().iter().map(|origin| origin["part"].as_str().unwrap()).collect();
    assert_eq!(parts, ["pipeline images", "ingress in", "endpoint images", "backend images"]);
    // Another host: the ingress is named with the reason.
    let other = site.json(&format!("http://other.example:{}/r4/Patient", site.port)).await;
    let network = &other["networks"][0];
    assert_eq!(network["route"]["pipeline"], "all");
    let prefix = format!("http://api.example:{}/r4", site.port);
    assert_eq!(why_not(network, &prefix), "it is for the host api.example");
    // The endpoint by its path wants the token too.
    let shown = site.explain(&format!("http://127.0.0.1:{}/images/x", site.port)).await;
    shown.expect(0, &["admission   requires a token of mesh m", "token       mesh m, HS256"]);
}

#[tokio::test]
async fn paths_and_the_management_api() {
    let site = Site::start().await;
    let shown = site.explain("/images/x?y").await;
    let shown = shown.expect(0, &["network public", "pipeline images", "it is on network public"]);
    shown.expect(0, &["a path has no host"]);
    let managed = site.json(&format!("http://127.0.0.1:{}/admin/routes", site.admin)).await;
    assert_eq!(managed["networks"][0]["outcome"], "management", "{managed:#}");
    let lost = site.json(&format!("http://127.0.0.1:{}/nothing", site.admin)).await;
    let network = &lost["networks"][0];
    assert_eq!((&network["outcome"], &network["status"]), (&"no_route".into(), &404.into()));
    assert_eq!(get(format!("http://127.0.0.1:{}/nothing", site.admin)).await.unwrap().status(), 404);
    // Behind a proxy the port is another one.
    let behind = site.json("https://api.example/images").await;
    assert!(behind["note"].as_str().unwrap().contains("port 443"), "{behind:#}");
    assert_eq!(behind["networks"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn keys_and_definitions() {
    let site = Site::start().await;
    let key = site.json("network.public.http.bind_port").await;
    assert_eq!((&key["what"], &key["value"]), (&"key".into(), &site.port.to_string().into()), "{key:#}");
    assert_eq!((&key["meaning"], &key["set"]), (&"The port.".into(), &true.into()));
    let line = usize::try_from(key["defined"][0]["line"].as_u64().unwrap()).unwrap();
    let text = site.dir.read("config.toml");
    assert_eq!(text.lines().nth(line - 1), Some(&*format!("bind_port = {}", site.port)));
    // The short name of a key without a named section.
    let short = site.json("primary_provider").await;
    assert_eq!((&short["key"], &short["value"]), (&"proxy.primary_provider".into(), &"\"local\"".into()));
    // A default.
    let unset = site.json("proxy.client_idle_timeout_secs").await;
    assert_eq!((&unset["set"], &unset["effective"]), (&false.into(), &"75".into()), "{unset:#}");
    assert!(unset["may_be_set_by"].as_str().unwrap().starts_with("the operator only"), "{unset:#}");
    let retries = site.json("backends.studies.max_retries").await;
    assert_eq!((&retries["set"], &retries["effective"]), (&false.into(), &"3".into()));
    // Secrets.
    for secret in ["management.token", "mesh.m.jwt_secret"] {
        let hidden = site.json(secret).await;
        assert_eq!((&hidden["set"], &hidden["hidden"]), (&true.into(), &true.into()), "{hidden:#}");
        assert_eq!((&hidden["value"], &hidden["effective"]), (&Value::Null, &Value::Null));
        site.explain(secret).await.expect(0, &["it may be a secret"]);
    }
    let definition = site.json("pipelines.studies").await;
    assert_eq!(definition["what"], "definition", "{definition:#}");
    assert_eq!(definition["routes"], serde_json::json!(["/images/studies on public"]));
    assert_eq!(definition["leads_to"], "http://127.0.0.1:1/base");
    site.explain("mesh.m").await.expect(0, &["mesh.m.jwt_secret = (not shown)", "mesh.m: mesh/m.toml:1"]);
    let networks = site.json("pipelines.images.networks").await;
    assert_eq!(networks["value"], "[\"public\"]");
}

#[tokio::test]
async fn local_references() {
    let site = Site::start().await;
    let known = site.json("local.local.ingress.name.in").await;
    assert_eq!((&known["what"], &known["state"]), (&"reference".into(), &"resolved".into()), "{known:#}");
    assert_eq!(known["urls"][0], format!("http://api.example:{}/r4", site.port));
    assert_eq!((&known["mode"], &known["resource"]["kind"]), (&"mesh".into(), &"ingress".into()));
    let inactive = site.json("runbeam.acme.ingress.name.x").await;
    assert_eq!((&inactive["state"], &inactive["urls"]), (&"inactive".into(), &serde_json::json!([])));
}

/// Texts without a meaning are refused, with suggestions.
#[tokio::test]
async fn refusals() {
    let site = Site::start().await;
    for (what, code, texts) in [
        ("", 2, &["expected a URL"][..]),
        ("   ", 2, &["expected a URL"]),
        ("a b", 2, &["neither a URL nor a key nor a reference"]),
        ("ftp://h/x", 2, &["not ftp"]),
        ("http://", 2, &["not a URL"]),
        ("proxy..id", 2, &["empty part"]),
        ("\u{1b}[2J", 2, &["without control characters"]),
        ("imagse", 3, &["did you mean", "pipelines.images"]),
        ("pipelines.studeis", 3, &["no `pipelines.studeis`", "did you mean pipelines.studies"]),
        ("pipelines.nothing.networks", 3, &["no `pipelines.nothing`"]),
        ("network.public.http.bind_prot", 3, &["did you mean network.public.http.bind_port"]),
        ("proxy.primary_providr", 3, &["did you mean proxy.primary_provider"]),
        ("network", 3, &["give one of them", "network.public"]),
        ("local.name.nobody", 3, &["no resource"]),
    ] {
        site.explain(what).await.expect(code, texts);
    }
    site.explain(&"x".repeat(5_000)).await.expect(2, &["expected at most 2048 bytes"]);
    let url = format!("http://127.0.0.1:{}/admin/explain", site.admin);
    assert_eq!(client().post(format!("{url}?what=proxy.id")).send().await.unwrap().status(), 405);
    let foreign = client().get(format!("{url}?what=proxy.id")).header("host", "evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403, "a page of another site must not read it");
    let stopped = Workdir::with([("config.toml", on_ports(BASE, free_port(), free_port()))]);
    run(&stopped.config(), &["explain", "proxy.id"]).await.expect(5, &["no gateway"]);
}
