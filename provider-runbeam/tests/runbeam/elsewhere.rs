//! Whatever a control plane says about other places: credentials go to the configured origin.

use std::sync::Arc;

use provider_api::{ErrorKind, Provider};
use provider_runbeam::Environment;
use serde_json::json;

use crate::answer::Answer;
use crate::calls::{ALL, USER_TOKEN, as_user, authorized, call};
use crate::claims::{Cloud, JWKS};
use crate::credential::brought;
use crate::forge::{OURS, key_set};
use crate::gateway::{Gateway, TOKEN, enrollment, source, verify};
use crate::stand_in::{StandIn, list};

/// Who would answer anything that is asked, if only somebody did.
async fn elsewhere() -> StandIn {
    StandIn::answering(|asked| match asked {
        _ if asked.is_for("base-url") => None,
        _ if asked.is_for("authorize") => Some(Answer::json(&authorized(TOKEN))),
        _ if asked.is_for("jwks.json") => Some(Answer::json(&key_set(&[&OURS]))),
        _ => Some(Answer::json(&list(&[]))),
    })
    .await
}

/// The call fails, since its answer leads elsewhere, and nobody there hears of it.
async fn leads_nowhere(provider: &Arc<dyn Provider>, name: &str, elsewhere: &StandIn) {
    let error = call(provider, name).await.expect_err(name);
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {error}");
    assert!(elsewhere.asked().is_empty(), "{name}: {:?}", elsewhere.asked());
    let all = format!("{error} {error:?}");
    assert!(!all.contains(TOKEN) && !all.contains(USER_TOKEN), "{all}");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = elsewhere().await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!("{}/harmony", elsewhere.url());
        let cloud = StandIn::answering(move |asked| {
            (!asked.is_for("base-url")).then(|| Answer::redirect(status, &to))
        })
        .await;
        let provider = Gateway::authorized().provider(&cloud.url());
        for name in ALL {
            leads_nowhere(&provider, name, &elsewhere).await;
        }
    }
}

#[tokio::test]
async fn a_redirect_of_the_discovery_is_not_followed_either() {
    let elsewhere = elsewhere().await;
    let to = elsewhere.url();
    let cloud = StandIn::answering(move |_| Some(Answer::redirect(302, &to))).await;
    let provider = Gateway::authorized().provider(&cloud.url());
    for name in ALL {
        leads_nowhere(&provider, name, &elsewhere).await;
    }
}

#[tokio::test]
async fn a_base_url_elsewhere_is_refused_by_every_call_and_not_remembered() {
    let elsewhere = elsewhere().await;
    let port = elsewhere.url().rsplit(':').next().unwrap().to_owned();
    for named in [
        elsewhere.url(),
        format!("http://localhost:{port}/"),
        format!("//127.0.0.1:{port}/api"),
        format!("http://user@127.0.0.1:{port}"),
    ] {
        for field in ["base_url", "full_url"] {
            let named = named.clone();
            let cloud = StandIn::answering(move |asked| match asked.is_for("base-url") {
                true => Some(Answer::json(&json!({ field: named }))),
                false => Some(Answer::json(&list(&[]))),
            })
            .await;
            let provider = Gateway::authorized().provider(&cloud.url());
            for name in ALL.iter().filter(|name| **name != "verify") {
                leads_nowhere(&provider, name, &elsewhere).await;
            }
            assert!(cloud.asked().iter().all(|asked| asked.is_for("base-url")), "{:?}", cloud.asked());
            let own = cloud.url() + "/api";
            cloud.answer_instead(move |asked| match asked.is_for("base-url") {
                true => Some(Answer::json(&json!({ "base_url": own }))),
                false => Some(Answer::json(&list(&[]))),
            });
            source(&provider).pending().await.expect("the control plane that came to its senses");
            assert!(cloud.asked().last().unwrap().is_for("/api/harmony/changes/01GATEWAY"));
        }
    }
}

#[tokio::test]
async fn a_next_page_elsewhere_is_not_asked_for() {
    let elsewhere = elsewhere().await;
    let port = elsewhere.url().rsplit(':').next().unwrap().to_owned();
    for next in [
        format!("{}/harmony/changes/01GATEWAY?page=2", elsewhere.url()),
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
        leads_nowhere(&provider, "pending", &elsewhere).await;
        assert_eq!(cloud.asked_for("changes/01GATEWAY").len(), 1);
    }
}

#[tokio::test]
async fn published_keys_are_asked_for_without_a_credential_here_and_elsewhere() {
    let mut cloud = Cloud::publishing().await;
    let token = OURS.sign(&cloud.claims(json!({})));
    source(&cloud.provider).pending().await.unwrap_err();
    assert!(cloud.stand_in.asked().iter().all(|asked| asked.bearer.as_deref() == Some(TOKEN)));
    verify(&cloud.provider, &token).await.unwrap();
    let elsewhere = elsewhere().await;
    cloud.gateway.jwks_url = Some(format!("{}/keys/jwks.json", elsewhere.url()));
    let provider = cloud.gateway.provider(&cloud.stand_in.url());
    verify(&provider, &token).await.unwrap();
    let asked = [cloud.stand_in.asked_for(JWKS), elsewhere.asked()].concat();
    assert_eq!(asked.len(), 2);
    for asked in asked {
        assert!(asked.bearer.is_none() && !asked.head.contains(TOKEN), "{}", asked.head);
    }
}

#[tokio::test]
async fn a_token_that_was_stored_for_one_control_plane_is_not_sent_to_another_however_it_came() {
    for came in ["by the environment", "by a user", "by hand"] {
        let (first, other) = (elsewhere().await, elsewhere().await);
        let started = match came {
            "by the environment" => Gateway::authorized(),
            _ => Gateway::stranger(),
        };
        let provider = started.provider(&first.url());
        match came {
            "by a user" => drop(enrollment(&provider).enroll(&as_user()).await.unwrap()),
            "by hand" => drop(enrollment(&provider).adopt(brought(TOKEN)).await.unwrap()),
            _ => {}
        }
        source(&provider).pending().await.unwrap();
        assert_eq!(first.asked().last().unwrap().bearer.as_deref(), Some(TOKEN), "{came}");
        let later = Gateway::at(Arc::clone(&started.home), Environment::default());
        let error = source(&later.provider(&other.url())).pending().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{came}");
        assert!(
            error.to_string().contains(&first.url()) && error.to_string().contains("authorize"),
            "{error}"
        );
        assert!(other.asked().is_empty(), "{came}: {:?}", other.asked());
        source(&later.provider(&first.url())).pending().await.expect("it is still good where it is for");
    }
}
