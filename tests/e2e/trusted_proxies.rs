//! `proxy.trusted_proxies`: whose headers about clients are believed, and the prefix that links need.

use harmony_host::{Capabilities, HostOptions};
use harmony_tests::site::{BASE, forward, ingress};
use harmony_tests::{Raw, Site, Upstream, Workdir, client};

/// Starts a gateway that trusts these proxies, with /api in front of `upstream`.
async fn trusting(list: &str, upstream: &Upstream) -> Site {
    let sections = forward("api", "/api/r4", &upstream.url())
        + &forward("root", "/", &upstream.url())
        + &ingress("api", "in", "http://fhir.example/outer", "default");
    let config = BASE.replace("id = \"site\"", &format!("id = \"site\"\ntrusted_proxies = [{list}]"));
    Site::with(&format!("{config}{sections}"), Workdir::new()).await
}

const CLAIMS: [(&str, &str); 7] = [
    ("x-forwarded-for", "6.6.6.6"),
    ("forwarded", "for=6.6.6.6"),
    ("x-forwarded-host", "shown.example"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-port", "8443"),
    ("x-forwarded-prefix", "/gw/"),
    ("x-real-ip", "6.6.6.6"),
];

/// Sends the claims, and returns the values of these headers at the upstream.
async fn arrived(site: &Site, upstream: &Upstream, path: &str) -> Vec<(&'static str, String)> {
    let mut request = client().get(site.url(path));
    for (name, value) in CLAIMS {
        request = request.header(name, value);
    }
    assert_eq!(request.send().await.unwrap().status(), 200);
    let headers = upstream.last_request().headers;
    let all = CLAIMS.map(|(name, _)| {
        let values: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        (name, values.join(" | "))
    });
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// FHIR servers write the links of their pages below the prefix that clients see.
#[tokio::test]
async fn a_removed_prefix_is_told() {
    let upstream = Upstream::with_body("answered").await;
    let site = trusting("", &upstream).await;
    for (host, path, prefix) in [
        ("localhost", "/api/r4/Patient", Some("/api/r4")),
        ("localhost", "/api/r4", Some("/api/r4")),
        ("localhost", "//api//%724/Patient", Some("/api/r4")),
        ("localhost", "/other", None),
        ("fhir.example", "/outer/Patient", Some("/outer")),
    ] {
        let text = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Prefix: /evil\r\nX_Forwarded_Prefix: /evil\r\n\
             Connection: close\r\n\r\n"
        );
        assert_eq!(Raw::send(site.port, text).await.status(), 200, "{path}");
        let headers = upstream.last_request().headers;
        let found: Vec<_> =
            headers.get_all("x-forwarded-prefix").iter().map(|v| v.to_str().unwrap()).collect();
        assert_eq!(found, prefix.into_iter().collect::<Vec<_>>(), "{path}");
        assert!(!headers.contains_key("x_forwarded_prefix"));
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let upstream = Upstream::with_body("answered").await;
    for list in ["\"127.0.0.1\"", "\"10.0.0.0/8\", \"127.0.0.0/8\"", "\"::ffff:127.0.0.1\"", "\"0.0.0.0/0\""]
    {
        let site = trusting(list, &upstream).await;
        let own = format!("for=127.0.0.1;host=\"127.0.0.1:{}\";proto=http", site.port);
        let expected = [
            ("x-forwarded-for", "6.6.6.6, 127.0.0.1".to_owned()),
            ("forwarded", format!("for=6.6.6.6, {own}")),
            ("x-forwarded-host", "shown.example".to_owned()),
            ("x-forwarded-proto", "https".to_owned()),
            ("x-forwarded-port", "8443".to_owned()),
            ("x-forwarded-prefix", "/gw/api/r4".to_owned()),
            ("x-real-ip", "6.6.6.6".to_owned()),
        ];
        assert_eq!(arrived(&site, &upstream, "/api/r4/x").await, expected, "{list}");
        assert_eq!(arrived(&site, &upstream, "/x").await[5], ("x-forwarded-prefix", "/gw".to_owned()));
        for prefix in ["gw", "/a/../b", "/a, /b", "/a\\b", "https://a"] {
            let request = client().get(site.url("/api/r4")).header("x-forwarded-prefix", prefix);
            request.header("proxy", "http://evil").header("x_real_ip", "1").send().await.unwrap();
            let headers = upstream.last_request().headers;
            assert_eq!(headers["x-forwarded-prefix"], "/api/r4", "{prefix}");
            assert!(!headers.contains_key("proxy") && !headers.contains_key("x_real_ip"));
        }
    }
}

#[tokio::test]
async fn a_stranger_beside_trusted_proxies_is_not() {
    let upstream = Upstream::with_body("answered").await;
    for list in ["\"192.0.2.1\"", "\"10.0.0.0/8\", \"::/0\"", "\"127.0.0.2\""] {
        let site = trusting(list, &upstream).await;
        let host = format!("127.0.0.1:{}", site.port);
        let expected = [
            ("x-forwarded-for", "127.0.0.1".to_owned()),
            ("forwarded", format!("for=127.0.0.1;host=\"{host}\";proto=http")),
            ("x-forwarded-host", host),
            ("x-forwarded-proto", "http".to_owned()),
            ("x-forwarded-prefix", "/api/r4".to_owned()),
        ];
        assert_eq!(arrived(&site, &upstream, "/api/r4/x").await, expected, "{list}");
    }
}

#[tokio::test]
async fn a_bad_entry_is_an_error_with_its_place() {
    for wrong in [
        "localhost",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.0.0",
        "*",
        "",
        "10.0.0.0-10.0.0.9",
        "::ffff:10.0.0.0/104",
    ] {
        let base = BASE.replace("PORT", "1").replace("ADMIN", "2");
        let config = base
            .replace("id = \"site\"", &format!("id = \"site\"\ntrusted_proxies = [\"::1\", \"{wrong}\"]"));
        let dir = Workdir::with([("config.toml", config)]);
        let mut options = HostOptions::new(dir.config(), harmony_host::registry());
        options.state_dir = dir.path().join("state");
        let rejection = harmony_host::check(&options, Capabilities::new()).await.expect_err(wrong);
        let found: Vec<String> = rejection.problems.errors().map(ToString::to_string).collect();
        assert!(
            found.len() == 1 && found[0].starts_with("config.toml:4: proxy.trusted_proxies: "),
            "{wrong}: {found:?}"
        );
    }
}
