//! Messages about a control plane: each names its address, what came and what to do.

use std::error::Error as _;
use std::sync::Arc;

use provider_api::{Error, Provider, Secret};
use provider_runbeam::Environment;
use serde_json::json;
use tokio::net::TcpListener;

use crate::answer::Answer;
use crate::calls::{ALL, call};
use crate::gateway::{Gateway, source};
use crate::stand_in::StandIn;

/// Returns the error of a call, in one line.
async fn failure(provider: &Arc<dyn Provider>, name: &str) -> String {
    let error: Error = call(provider, name).await.expect_err(name);
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    format!("{error}: {cause}")
}

/// Every error of every call names the address and the path, for every answer that is none.
#[tokio::test]
async fn every_message_names_the_address() {
    type Make = fn() -> Answer;
    let answers: [(Make, &str); 10] = [
        (|| Answer::status(401, &json!({ "message": "Unauthenticated." })), "answered 401 Unauthorized"),
        (|| Answer::status(403, &json!({ "error": "no" })), "answered 403 Forbidden (\"no\")"),
        (|| Answer::status(404, &json!({})), "answered 404 Not Found"),
        (|| Answer::status(429, &json!({})).with("retry-after", "90"), "1 min 30 s"),
        (|| Answer::status(503, &json!({})), "answered 503 Service Unavailable: it is overloaded"),
        (
            || Answer::redirect(302, "https://new.example/login?t=canary"),
            "redirects to https://new.example/login;",
        ),
        (|| Answer::text("<html>", "text/html; charset=utf-8"), "with text/html, not with JSON; check `api`"),
        (
            || Answer::text("<html>", "application/json"),
            "sent text that is not valid JSON, at line 1, column 1",
        ),
        (|| Answer::text("{", "application/json"), "sent JSON that ends too early, at line 1, column 1"),
        (|| Answer::json(&json!([7])), "sent JSON with other fields than expected"),
    ];
    for (answer, what) in answers {
        let cloud = StandIn::answering(move |request| (!request.is_for("base-url")).then(answer)).await;
        let provider = Gateway::authorized().provider(&cloud.url());
        for name in ALL {
            // Reports take any JSON, and a 404 of the discovery is an older control plane.
            if matches!(name, "applied" | "rejected") && what.contains("other fields") {
                continue;
            }
            let message = failure(&provider, name).await;
            let named = format!("the control plane at {}/", cloud.url());
            assert!(message.contains(&named) && message.contains(what), "{name}: {message}");
            assert!(!message.contains("canary") && !message.contains('?'), "{name}: {message}");
        }
    }
}

/// A connection that cannot be made is told apart from others, with its remedy.
#[tokio::test]
async fn failed_connections_are_named() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let cloud = StandIn::answering(|_| None).await;
    let cleartext = cloud.url().replace("http:", "https:");
    for (api, what) in [
        (closed.as_str(), "refuses connections; check that it runs"),
        ("https://nowhere.invalid", "has a name that cannot be resolved"),
        (cleartext.as_str(), "does not speak TLS at this port"),
    ] {
        let message = failure(&Gateway::authorized().provider(api), "pending").await;
        let named = format!("the control plane at {api}/harmony/base-url");
        assert!(message.contains(&named) && message.contains(what), "{message}");
    }
}

/// A refusal names the place of the token, and that a value in the environment has not the form of one.
#[tokio::test]
async fn refused_token_is_named_by_its_variable() {
    let cloud = StandIn::answering(|request| {
        (!request.is_for("base-url")).then(|| Answer::status(401, &json!({ "message": "Unauthenticated." })))
    })
    .await;
    for (token, named) in [
        ("canary", "the machine token in RUNBEAM_MACHINE_TOKEN, which has not the form of one"),
        ("7|canary", "it refused the machine token in RUNBEAM_MACHINE_TOKEN; authorize the gateway again"),
        (
            "eyJ0.canary.c2ln",
            "it refused the machine token in RUNBEAM_MACHINE_TOKEN; authorize the gateway again",
        ),
    ] {
        let environment = Environment { machine_token: Some(Secret::new(token)), ..Environment::default() };
        let provider = Gateway::started(environment).provider(&cloud.url());
        let message = source(&provider).pending().await.unwrap_err().to_string();
        assert!(message.contains(named) && !message.contains("canary"), "{message}");
    }
}
