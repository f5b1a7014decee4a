//! The login of a user in a browser.

use provider_api::{ErrorKind, Result};
use provider_runbeam::{Deadlines, Login, Settings};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::stand_in::StandIn;

const SECRET: &str = "a-device-token-of-the-control-plane";

/// Starts a control plane whose answers about a login are these; 404 for `None`.
async fn cloud(started: Value, checked: Option<Value>) -> StandIn {
    StandIn::answering(move |request| match request.is_for("/api/cli/start-login") {
        true => Some(Answer::json(&started)),
        false => {
            let is_check = request.is_for(&format!("/api/cli/check-login/{SECRET}"));
            checked.as_ref().filter(|_| is_check).map(Answer::json)
        }
    })
    .await
}

fn started(url: &str) -> Value {
    json!({ "device_token": SECRET, "verification_url": url, "expires_in_seconds": 600 })
}

async fn start(cloud: &StandIn) -> Result<Login> {
    let mut settings = Settings::default();
    settings.api = cloud.url();
    Login::start(&settings, Deadlines::default()).await
}

#[tokio::test]
async fn approved_login_gives_the_token() {
    let checked = json!({ "status": "authenticated", "token": "1|user", "user": { "id": "u" } });
    let cloud = cloud(started("https://cloud.example/login/x"), Some(checked)).await;
    let login = start(&cloud).await.unwrap();
    assert_eq!(login.verification_url, "https://cloud.example/login/x");
    assert!(!format!("{login:?}").contains(SECRET), "{login:?}");
    assert_eq!(login.finish().await.unwrap().expose(), "1|user");
    let requests = cloud.requests();
    assert!(requests.iter().all(|request| request.bearer.is_none()), "{requests:?}");
}

/// The error of a login that came to nothing does not show its secret, which is a part of the URL.
#[tokio::test]
async fn other_ends_are_denials() {
    for (checked, kind) in [
        (Some(json!({ "status": "expired" })), ErrorKind::Denied),
        (Some(json!({ "status": "invalid" })), ErrorKind::Denied),
        (Some(json!({ "status": "a status of tomorrow" })), ErrorKind::Denied),
        (None, ErrorKind::NotFound),
    ] {
        let cloud = cloud(started("https://cloud.example/login/x"), checked.clone()).await;
        let error = start(&cloud).await.unwrap().finish().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{checked:?}: {error}");
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    }
}

/// An address that a browser must not be given is not shown.
#[tokio::test]
async fn only_web_addresses_are_shown() {
    let long = format!("https://cloud.example/{}", "x".repeat(3000));
    for url in ["javascript:alert(1)", "file:///etc/passwd", "no address", "", &long] {
        let error = start(&cloud(started(url), None).await).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{url}: {error}");
    }
    // Characters that command a terminal are encoded.
    let cloud = cloud(started("https://cloud.example/\u{1b}[2J"), None).await;
    assert!(start(&cloud).await.unwrap().verification_url.is_ascii());
}
