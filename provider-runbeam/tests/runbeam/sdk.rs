//! Interoperability with the official SDK: each reads the machine token that the other stored.
//!
//! The SDK finds its files by `HOME` and its key by an environment variable, so each call of it runs in its own process.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use age::secrecy::ExposeSecret as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use provider_api::{CredentialStatus, MachineCredential, Secret};
use provider_runbeam::Environment;
use runbeam_sdk::{MachineToken, load_machine_token, save_machine_token, save_token_with_key};

use crate::answer::Answer;
use crate::calls::{authorized, enrollment_request};
use crate::gateway::{GATEWAY, Gateway, enrollment, source};
use crate::stand_in::{StandIn, list};

const ENDS: &str = "2099-01-01T00:00:00.123456+00:00";
const STORE: &str = "SDK_STORES";
const UNDER: &str = "SDK_STORES_UNDER";

/// The process of the SDK. Stores the token of the environment variable, if any, and writes the loaded token to a file.
#[tokio::test]
#[ignore = "started by the other tests, in its own process"]
async fn the_sdk() {
    let Some(read) = std::env::var_os("SDK_READS_TO") else { return };
    if let Ok(token) = std::env::var(STORE) {
        let abilities = vec!["harmony:read".to_owned()];
        let token = MachineToken::new(token, ENDS.to_owned(), "01GATEWAY".to_owned(), abilities);
        match std::env::var(UNDER) {
            Ok(key) => save_token_with_key(GATEWAY, &token, &key).await.unwrap(),
            Err(_) => save_machine_token(GATEWAY, &token).await.unwrap(),
        }
    }
    let token = load_machine_token(GATEWAY).await.unwrap().expect("a stored token");
    assert!(token.is_valid());
    std::fs::write(read, serde_json::to_vec(&token).unwrap()).unwrap();
}

/// Runs the SDK in `home`. Returns the token that it loads at the end.
fn sdk(home: &Path, key: Option<&str>, tasks: &[(&str, &str)]) -> MachineToken {
    let read = home.join("read.json");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "sdk::the_sdk"]).env("HOME", home).env("SDK_READS_TO", &read);
    command.env_remove("RUNBEAM_ENCRYPTION_KEY").env_remove(STORE).env_remove(UNDER);
    command.envs(tasks.iter().copied()).envs(key.map(|key| ("RUNBEAM_ENCRYPTION_KEY", key)));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let token = serde_json::from_slice(&std::fs::read(&read).unwrap()).unwrap();
    std::fs::remove_file(read).unwrap();
    token
}

/// Returns the forms of a key: plain, base64, and none, which means the key file that the first writer creates.
fn keys() -> [Option<String>; 3] {
    let key = age::x25519::Identity::generate().to_string().expose_secret().to_owned();
    [Some(key.clone()), Some(STANDARD.encode(&key)), None]
}

fn environment(key: Option<&str>) -> Environment {
    Environment { encryption_key: key.map(Secret::new), ..Environment::default() }
}

/// Starts a stand-in that authorizes every user and accepts every token.
async fn cloud() -> StandIn {
    StandIn::answering(|request| match request {
        _ if request.is_for("base-url") => None,
        _ if request.is_for("authorize") => Some(Answer::json(&authorized("enrolled-token"))),
        _ => Some(Answer::json(&list(&[]))),
    })
    .await
}

#[tokio::test]
async fn token_of_the_sdk_is_used() {
    let cloud = cloud().await;
    for key in keys() {
        let gateway = Gateway::started(environment(key.as_deref()));
        sdk(gateway.home.path(), key.as_deref(), &[(STORE, "stored-by-the-sdk")]);
        let provider = gateway.provider(&cloud.url());
        assert!(
            matches!(enrollment(&provider).credential_status(), CredentialStatus::Valid { .. }),
            "{key:?}"
        );
        source(&provider).pending().await.unwrap();
        let request = cloud.requests().pop().unwrap();
        assert_eq!(request.bearer.as_deref(), Some("stored-by-the-sdk"));
        assert!(request.is_for("/harmony/changes/01GATEWAY"), "{request:?}");
    }
}

#[tokio::test]
async fn sdk_reads_an_adopted_token() {
    let cloud = cloud().await;
    for key in keys() {
        let gateway = Gateway::started(environment(key.as_deref()));
        let credential = MachineCredential {
            token: Secret::new("adopted-token"),
            expires_at: SystemTime::UNIX_EPOCH + Duration::from_millis(4_000_000_000_123),
            gateway_id: "01GATEWAY".to_owned(),
            gateway_code: Some("edge".to_owned()),
            abilities: vec!["harmony:read".to_owned(), "mesh:token".to_owned()],
            control_plane: None,
            storage_key: None,
            replace: false,
        };
        enrollment(&gateway.provider(&cloud.url())).adopt(credential).await.unwrap();
        let read = sdk(gateway.home.path(), key.as_deref(), &[]);
        assert_eq!((read.machine_token.as_str(), read.gateway_id.as_str()), ("adopted-token", "01GATEWAY"));
        assert_eq!(read.abilities, ["harmony:read", "mesh:token"]);
        assert_eq!(read.expires_at, "2096-10-02T07:06:40.123Z");
        assert!(read.issued_at.starts_with("2025-06-15T"), "{}", read.issued_at);
    }
}

#[tokio::test]
async fn sdk_reads_an_enrolled_token() {
    let cloud = cloud().await;
    for key in keys() {
        let gateway = Gateway::started(environment(key.as_deref()));
        enrollment(&gateway.provider(&cloud.url())).enroll(&enrollment_request()).await.unwrap();
        let read = sdk(gateway.home.path(), key.as_deref(), &[]);
        assert_eq!((read.machine_token.as_str(), read.gateway_id.as_str()), ("enrolled-token", "01GATEWAY"));
        assert_eq!(read.abilities, ["harmony:read"]);
    }
}

#[tokio::test]
async fn sdk_reads_a_token_with_its_own_key() {
    let cloud = cloud().await;
    for key in keys().iter().flatten() {
        let gateway = Gateway::unauthorized();
        let mut request = enrollment_request();
        request.storage_key = Some(Secret::new(key.as_str()));
        enrollment(&gateway.provider(&cloud.url())).enroll(&request).await.unwrap();
        assert_eq!(sdk(gateway.home.path(), None, &[]).machine_token, "enrolled-token");
        assert_eq!(sdk(gateway.home.path(), Some(key), &[]).machine_token, "enrolled-token");
    }
}

#[tokio::test]
async fn token_of_the_sdk_needs_its_key() {
    let cloud = cloud().await;
    for key in keys().iter().flatten() {
        let gateway = Gateway::started(environment(Some(key)));
        sdk(gateway.home.path(), Some(key), &[(STORE, "stored-by-the-sdk"), (UNDER, key)]);
        source(&gateway.provider(&cloud.url())).pending().await.unwrap();
        let without_key = Gateway::at(Arc::clone(&gateway.home), Environment::default());
        let error = source(&without_key.provider(&cloud.url())).pending().await.unwrap_err();
        assert!(error.to_string().contains("RUNBEAM_ENCRYPTION_KEY"), "{error}");
    }
}

#[tokio::test]
async fn token_renewed_by_the_sdk_is_used() {
    let cloud = cloud().await;
    for key in keys() {
        let gateway = Gateway::started(environment(key.as_deref()));
        let provider = gateway.provider(&cloud.url());
        enrollment(&provider).enroll(&enrollment_request()).await.unwrap();
        for token in ["renewed-once", "renewed-more"] {
            sdk(gateway.home.path(), key.as_deref(), &[(STORE, token)]);
            source(&provider).pending().await.unwrap();
            assert_eq!(cloud.requests().pop().unwrap().bearer.as_deref(), Some(token));
        }
    }
}
