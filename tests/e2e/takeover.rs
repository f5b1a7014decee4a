//! Attempts to take over a gateway that is enrolled as another one, and brought machine tokens that do not work.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use bytes::Bytes;
use harmony_host::Management;
use harmony_tests::control_plane::ControlPlane;
use harmony_tests::{InProcessGateway, InProcessGatewayOptions};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Starts a gateway of the team `acme` that is enrolled as `edge`.
async fn enrolled(cloud: &ControlPlane, with_token: bool) -> InProcessGateway {
    let sections = if with_token { format!("token = \"{TOKEN}\"\n") } else { String::new() };
    let options = InProcessGatewayOptions {
        interval: 0,
        authorized: false,
        sections,
        ..InProcessGatewayOptions::default()
    };
    let gateway = InProcessGateway::with(cloud, options).await;
    let first = Attempt { bearer: Some(cloud.user_token("acme")), ..Attempt::authorize("edge") };
    let (status, answer) = first.send(&gateway).await;
    assert_eq!(status, 200, "a first time from the loopback: {answer}");
    gateway.host.sync().await.unwrap();
    gateway
}

/// A request to enroll the gateway.
#[derive(Clone, Debug)]
struct Attempt {
    path: &'static str,
    peer: IpAddr,
    bearer: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

impl Attempt {
    fn authorize(code: &str) -> Self {
        Self {
            path: "/admin/authorize",
            peer: [127, 0, 0, 1].into(),
            bearer: None,
            headers: Vec::new(),
            body: json!({ "gateway_code": code }),
        }
    }

    fn token(token: Value) -> Self {
        Self { path: "/admin/token", body: token, ..Self::authorize("") }
    }

    async fn send(&self, gateway: &InProcessGateway) -> (u16, Value) {
        let mut request = Request::post(self.path)
            .header("host", "127.0.0.1:9090")
            .header("content-type", "application/json");
        if let Some(bearer) = &self.bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(Bytes::from(self.body.to_string()))).unwrap();
        let answer = Management::new(&gateway.host).handle(SocketAddr::new(self.peer, 50_000), request).await;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }
}

/// Everything that a refused attempt must leave as it was.
fn state(gateway: &InProcessGateway) -> (BTreeMap<String, Vec<u8>>, String) {
    let mut files = BTreeMap::new();
    collect(gateway.dir.path(), &mut files);
    let mut status = serde_json::to_value(&*gateway.host.status()).unwrap();
    // The gateway reads its files again at an interval, attempt or not.
    status["desired"]["read_at"] = Value::Null;
    status["audit"] = Value::Null;
    (files, status.to_string())
}

fn collect(directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("harmony/audit") {
            // It records each attempt.
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
}

/// Each combination of peer, proxy header, management token and `replace` that lacks one of the two that a take-over
/// needs is refused, and leaves the credential, config.toml and the status as they were.
#[tokio::test]
async fn take_over_takes_replace_and_the_token() {
    let peers: [IpAddr; 4] =
        ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.7"].map(|peer| peer.parse().unwrap());
    let proxies = [None, Some("via"), Some("forwarded"), Some("x-forwarded-for"), Some("x-real-ip")];
    let tokens = [None, Some("wrong-wrong-wrong-wrong-wrong-wrong"), Some(TOKEN)];
    for configured in [false, true] {
        let cloud = ControlPlane::start().await;
        let gateway = enrolled(&cloud, configured).await;
        let stranger = cloud.user_token("strangers");
        let mut foreign = serde_json::to_value(cloud.authorize("strangers", "theirs")).unwrap();
        let before = state(&gateway);
        for peer in peers {
            for proxy in proxies {
                for token in tokens {
                    for replace in [false, true] {
                        if configured && replace && token == Some(TOKEN) {
                            continue;
                        }
                        let mut headers = Vec::new();
                        headers.extend(proxy.map(|name| (name, "127.0.0.1".to_owned())));
                        headers.extend(token.map(|token| ("management-token", token.to_owned())));
                        let mut authorize = Attempt::authorize("theirs");
                        authorize.body["replace"] = json!(replace);
                        foreign["replace"] = json!(replace);
                        let user = Some(stranger.clone());
                        let bearers = [None, user.clone(), Some(TOKEN.to_owned())];
                        let tokens =
                            bearers.map(|bearer| Attempt { bearer, ..Attempt::token(foreign.clone()) });
                        for attempt in [Attempt { bearer: user, ..authorize }].into_iter().chain(tokens) {
                            let attempt = Attempt { peer, headers: headers.clone(), ..attempt };
                            let (status, answer) = attempt.send(&gateway).await;
                            assert!(matches!(status, 400 | 401 | 403), "{attempt:?}: {status} {answer}");
                            assert!(!answer.to_string().contains(TOKEN), "{answer}");
                            assert_eq!(state(&gateway), before, "{attempt:?}");
                        }
                    }
                }
            }
        }
    }
}

/// With `replace` and management.token in its header, a user makes the gateway another one, from another machine too.
#[tokio::test]
async fn operator_replaces_the_enrollment() {
    for peer in ["127.0.0.1", "::1", "10.0.0.7"] {
        for by_token in [false, true] {
            let cloud = ControlPlane::start().await;
            let gateway = enrolled(&cloud, true).await;
            let attempt = match by_token {
                true => Attempt::token(serde_json::to_value(cloud.authorize("acme", "next")).unwrap()),
                false => Attempt { bearer: Some(cloud.user_token("acme")), ..Attempt::authorize("next") },
            };
            let mut attempt = Attempt { peer: peer.parse().unwrap(), ..attempt };
            attempt.body["replace"] = json!(true);
            attempt.headers.push(("management-token", TOKEN.to_owned()));
            let (status, answer) = attempt.send(&gateway).await;
            assert_eq!(
                (status, &answer["gateway"]["id"]),
                (200, &json!(cloud.gateway_id("next"))),
                "{answer}"
            );
        }
    }
}

/// Enrolling again as the same gateway takes neither `replace` nor management.token.
#[tokio::test]
async fn enrolling_again_as_the_same_stays_simple() {
    let cloud = ControlPlane::start().await;
    for with_token in [false, true] {
        let gateway = enrolled(&cloud, with_token).await;
        let again = Attempt { bearer: Some(cloud.user_token("acme")), ..Attempt::authorize("edge") };
        let (status, answer) = again.send(&gateway).await;
        assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
    }
}

/// A gateway whose token has expired or was refused is still the gateway that it was.
#[tokio::test]
async fn refused_token_keeps_the_identity() {
    let cloud = ControlPlane::start().await;
    let gateway = enrolled(&cloud, false).await;
    cloud.revoke("edge");
    gateway.host.sync().await.unwrap();
    let theirs = Attempt { bearer: Some(cloud.user_token("strangers")), ..Attempt::authorize("theirs") };
    let (status, answer) = theirs.send(&gateway).await;
    assert_eq!(status, 403, "{answer}");
    let again = Attempt { bearer: Some(cloud.user_token("acme")), ..Attempt::authorize("edge") };
    assert_eq!(again.send(&gateway).await.0, 200);
}

/// A brought token that the control plane refuses, or that cannot be tried, leaves the working one.
#[tokio::test]
async fn brought_token_is_tried_first() {
    let cloud = ControlPlane::start().await;
    let gateway = enrolled(&cloud, false).await;
    let own = serde_json::to_value(cloud.authorize("acme", "edge")).unwrap();
    let of_another = serde_json::to_value(cloud.authorize("acme", "another")).unwrap();
    let before = state(&gateway);
    for token in [json!("made-up"), of_another["machine_token"].clone()] {
        let mut brought = own.clone();
        brought["machine_token"] = token;
        let (status, answer) = Attempt::token(brought).send(&gateway).await;
        assert_eq!(status, 403, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains("does not work"), "{answer}");
        assert_eq!(state(&gateway), before);
    }
    assert_eq!(Attempt::token(own.clone()).send(&gateway).await.0, 200);
    gateway.host.sync().await.unwrap();
    let before = state(&gateway);
    cloud.stop().await;
    let (status, answer) = Attempt::token(own).send(&gateway).await;
    assert_eq!(status, 503, "{answer}");
    assert_eq!(state(&gateway), before);
}

/// An embedding application that authorizes through the host is held to the same rule.
#[tokio::test]
async fn embedders_go_through_the_same_rule() {
    let cloud = ControlPlane::start().await;
    let gateway = enrolled(&cloud, true).await;
    let mut request = provider_api::EnrollmentRequest {
        user_token: provider_api::Secret::new(cloud.user_token("strangers")),
        gateway_code: "theirs".to_owned(),
        machine_public_key: None,
        metadata: Vec::new(),
        storage_key: None,
        replace: false,
    };
    let before = state(&gateway);
    let error = gateway.host.authorize(&request).await.unwrap_err();
    assert_eq!(error.kind(), provider_api::ErrorKind::Denied, "{error}");
    assert_eq!(state(&gateway), before);
    request.replace = true;
    gateway.host.authorize(&request).await.unwrap();
}

/// The case `authorize_metadata_object`: `metadata` as a map; its keys go to the control plane.
#[tokio::test]
async fn authorize_metadata_object() {
    let cloud = ControlPlane::start().await;
    let gateway = enrolled(&cloud, false).await;
    cloud.forget_requests();
    let mut attempt = Attempt { bearer: Some(cloud.user_token("acme")), ..Attempt::authorize("edge") };
    attempt.body["metadata"] = json!({ "version": "0.4.0", "os": "macos", "nested": { "a": [1] } });
    let (status, answer) = attempt.send(&gateway).await;
    assert_eq!(status, 200, "{answer}");
    let sent = cloud.requests().into_iter().find(|request| request.path.ends_with("/harmony/authorize"));
    let sent = sent.unwrap().body.unwrap();
    assert_eq!(sent["metadata"], json!(["nested", "os", "version"]));
    for bad in [json!(7), json!("text"), json!([7])] {
        attempt.body["metadata"] = bad;
        assert_eq!(attempt.send(&gateway).await.0, 422);
    }
}

/// The case `curl_authorize_without_token`: the control plane takes the user's token from the bearer.
#[tokio::test]
async fn curl_authorize_without_token() {
    let cloud = ControlPlane::start().await;
    for path in ["/api/harmony/authorize", "/harmony/authorize"] {
        let request = harmony_tests::client().post(format!("{}{path}", cloud.url()));
        let request = request.bearer_auth(cloud.sanctum_token("acme"));
        let answer = request.json(&json!({ "gateway_code": "my-gateway-code" })).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["machine_token"].is_string(), "{answer}");
    }
}
