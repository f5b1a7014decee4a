//! Issued mesh tokens: their end, when the clocks of this machine and of the control plane differ.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use provider_api::{Result, TokenRequest};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::clock::NOW;
use crate::gateway::{Gateway, URL, imaging, mesh_auth};
use crate::stand_in::StandIn;

/// Requests a token with these claims while the clock of this machine shows `local`. `by_header` is the `expires_at` beside
/// it. Returns the seconds that the token is valid, by that clock.
async fn seconds_left(claims: Value, by_header: u64, local: u64) -> Result<u64> {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let token = format!("{}.{}.c2ln", part(&json!({ "alg": "RS256" })), part(&claims));
    let expires_at = jiff::Timestamp::from_second(by_header.try_into().unwrap()).unwrap();
    let answer = json!({ "token": token, "expires_at": expires_at.to_string() });
    let cloud = StandIn::with("mesh/token", move || Answer::json(&answer)).await;
    let gateway = Gateway::authorized();
    gateway.clock.set(local);
    let provider = gateway.provider(&cloud.url());
    let request =
        TokenRequest { mesh: imaging(), destination: URL.to_owned(), sender: "gateway-a".to_owned() };
    let token = mesh_auth(&provider).issue(&request).await?;
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(local);
    Ok(token.expires_at.duration_since(now).unwrap().as_secs())
}

async fn of_new_token(local: u64) -> u64 {
    seconds_left(json!({ "iat": NOW, "exp": NOW + 300 }), NOW + 300, local).await.unwrap()
}

/// Within the tolerance the token ends at its `exp`.
#[tokio::test]
async fn equal_clocks() {
    for apart in [0, 1, 30, 60] {
        assert_eq!(of_new_token(NOW + apart).await, 300 - apart);
        assert_eq!(of_new_token(NOW - apart).await, 300 + apart);
    }
}

/// A new token is valid for its whole lifetime, whatever the clock of this machine shows.
#[tokio::test]
async fn skewed_clocks() {
    for ahead in [225, 290, 300, 301, 3_600, 365 * 24 * 3_600] {
        assert_eq!(of_new_token(NOW + ahead).await, 300, "{ahead} s ahead");
    }
    for behind in [61, 290, 3_600, 365 * 24 * 3_600] {
        assert_eq!(of_new_token(NOW - behind).await, 300, "{behind} s behind");
    }
}

/// A token that the control plane has issued before ends when it says.
#[tokio::test]
async fn older_token() {
    let claims = json!({ "iat": NOW - 200, "exp": NOW + 100 });
    assert_eq!(seconds_left(claims, NOW + 100, NOW).await.unwrap(), 100);
}

#[tokio::test]
async fn earlier_of_two_ends() {
    for (exp, by_header) in [(300, 100), (100, 300)] {
        let claims = json!({ "iat": NOW, "exp": NOW + exp });
        assert_eq!(seconds_left(claims, NOW + by_header, NOW).await.unwrap(), 100);
    }
}

/// Without both times the clock of this machine decides. A token that ends before it begins is none.
#[tokio::test]
async fn tokens_without_times() {
    for claims in [
        json!({}),
        json!({ "exp": NOW + 300 }),
        json!({ "iat": "now", "exp": NOW }),
        json!([]),
        json!({ "iat": -1, "exp": 1 }),
    ] {
        assert_eq!(seconds_left(claims.clone(), NOW + 300, NOW).await.unwrap(), 300, "{claims}");
        seconds_left(claims, NOW + 300, NOW + 300).await.unwrap_err();
    }
    seconds_left(json!({ "iat": NOW + 1, "exp": NOW }), NOW, NOW - 10).await.unwrap_err();
}
