//! Credentials go to the configured origin only, whatever URLs the control plane sends.

use std::sync::Arc;

use provider_api::{ErrorKind, Provider};
use provider_runbeam::Environment;
use serde_json::json;

use crate::answer::Answer;
use crate::calls::{ALL, USER_TOKEN, authorized, call, enrollment_request};
use crate::claims::{Cloud, JWKS};
use crate::credential::machine_credential;
use crate::forge::{OURS, key_set};
use crate::gateway::{Gateway, TOKEN, enrollment, source, verify};
use crate::stand_in::{StandIn, list};

/// Starts a stand-in at another origin, which accepts every request.
async fn other_origin() -> StandIn {
    StandIn::answering(|request| match request {
        _ if request.is_for("base-url") => None,
        _ if request.is_for("authorize") => Some(Answer::json(&authorized(TOKEN))),
        _ if request.is_for("jwks.json") => Some(Answer::json(&key_set(&[&OURS]))),
        _ => Some(Answer::json(&list(&[]))),
    })
    .await
}

/// Checks that the call fails, and that the other origin receives no request.
async fn sends_nothing_to(provider: &Arc<dyn Provider>, name: &str, other: &StandIn) {
    let error = call(provider, name).await.expect_err(name);
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {error}");
    assert!(other.requests().is_empty(), "{name}: {:?}", other.requests());
    let all = format!("{error} {error:?}");
    assert!(!all.contains(TOKEN) && !all.contains(USER_TOKEN), "{all}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = other_origin().await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!("{}/harmony", other.url());
        let cloud = StandIn::answering(move |request| {
            (!request.is_for("base-url")).then(|| Answer::redirect(status, &to))
        })
        .await;
        let provider = Gateway::authorized().provider(&cloud.url());
        for name in ALL {
            sends_nothing_to(&provider, name, &other).await;
        }
    }
}

#[tokio::test]
async fn redirects_of_discovery_are_not_followed() {
    let other = other_origin().await;
    let to = other.url();
    let cloud = StandIn::answering(move |_| Some(Answer::redirect(302, &to))).await;
    let provider = Gateway::authorized().provider(&cloud.url());
    for name in ALL {
        sends_nothing_to(&provider, name, &other).await;
    }
}

#[tokio::test]
async fn base_url_of_other_origin_is_refused() {
    let other = other_origin().await;
    let port = other.url().rsplit(':').next().unwrap().to_owned();
    for named in [
        other.url(),
        format!("http://localhost:{port}/"),
        format!("//127.0.0.1:{port}/api"),
        format!("http://user@127.0.0.1:{port}"),
    ] {
        for field in ["base_url", "full_url"] {
            let named = named.clone();
            let cloud = StandIn::answering(move |request| match request.is_for("base-url") {
                true => Some(Answer::json(&json!({ field: named }))),
                false => Some(Answer::json(&list(&[]))),
            })
            .await;
            let provider = Gateway::authorized().provider(&cloud.url());
            for name in ALL.iter().filter(|name| **name != "verify") {
                sends_nothing_to(&provider, name, &other).await;
            }
            assert!(
                cloud.requests().iter().all(|request| request.is_for("base-url")),
                "{:?}",
                cloud.requests()
            );
            let own = cloud.url() + "/api";
            cloud.respond_with(move |request| match request.is_for("base-url") {
                true => Some(Answer::json(&json!({ "base_url": own }))),
                false => Some(Answer::json(&list(&[]))),
            });
            source(&provider).pending().await.expect("the refused base URL is not cached");
            assert!(cloud.requests().last().unwrap().is_for("/api/harmony/changes/01GATEWAY"));
        }
    }
}

#[tokio::test]
async fn next_page_of_other_origin_is_refused() {
    let other = other_origin().await;
    let port = other.url().rsplit(':').next().unwrap().to_owned();
    for next in [
        format!("{}/harmony/changes/01GATEWAY?page=2", other.url()),
        format!("//127.0.0.1:{port}/?page=2"),
        format!("http://localhost:{port}/?page=2"),
        "http://".to_owned(),
    ] {
        let cloud = StandIn::with("changes/01GATEWAY", move || {
            let mut page = list(&["01A"]);
            page["links"] = json!({ "next": next });
            Answer::json(&page).with("etag", "\"1\"")
        })
        .await;
        let provider = Gateway::authorized().provider(&cloud.url());
        sends_nothing_to(&provider, "pending", &other).await;
        assert_eq!(cloud.requests_to("changes/01GATEWAY").len(), 1);
    }
}

#[tokio::test]
async fn keys_are_fetched_without_a_credential() {
    let mut cloud = Cloud::publishing().await;
    let token = OURS.sign(&cloud.claims(json!({})));
    source(&cloud.provider).pending().await.unwrap_err();
    assert!(cloud.stand_in.requests().iter().all(|request| request.bearer.as_deref() == Some(TOKEN)));
    verify(&cloud.provider, &token).await.unwrap();
    let other = other_origin().await;
    cloud.gateway.jwks_url = Some(format!("{}/keys/jwks.json", other.url()));
    let provider = cloud.gateway.provider(&cloud.stand_in.url());
    verify(&provider, &token).await.unwrap();
    let requests = [cloud.stand_in.requests_to(JWKS), other.requests()].concat();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert!(request.bearer.is_none() && !request.head.contains(TOKEN), "{}", request.head);
    }
}

#[tokio::test]
async fn stored_token_is_bound_to_its_origin() {
    for source_of_token in ["the environment", "a user", "adoption"] {
        let (first, other) = (other_origin().await, other_origin().await);
        let started = match source_of_token {
            "the environment" => Gateway::authorized(),
            _ => Gateway::unauthorized(),
        };
        let provider = started.provider(&first.url());
        match source_of_token {
            "a user" => drop(enrollment(&provider).enroll(&enrollment_request()).await.unwrap()),
            "adoption" => drop(enrollment(&provider).adopt(machine_credential(TOKEN)).await.unwrap()),
            _ => {}
        }
        source(&provider).pending().await.unwrap();
        assert_eq!(first.requests().last().unwrap().bearer.as_deref(), Some(TOKEN), "{source_of_token}");
        let later = Gateway::at(Arc::clone(&started.home), Environment::default());
        let error = source(&later.provider(&other.url())).pending().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{source_of_token}");
        assert!(
            error.to_string().contains(&first.url()) && error.to_string().contains("authorize"),
            "{error}"
        );
        assert!(other.requests().is_empty(), "{source_of_token}: {:?}", other.requests());
        source(&later.provider(&first.url()))
            .pending()
            .await
            .expect("the token is still valid for its own control plane");
    }
}
