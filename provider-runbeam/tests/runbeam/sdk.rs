//! The official SDK shares the stored machine token with this provider, in both directions.
//!
//! It finds its files by `HOME` and its key by a variable of the process, so each of its calls runs in a
//! process of its own.

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
use crate::calls::{as_user, authorized};
use crate::gateway::{GATEWAY, Gateway, enrollment, source};
use crate::stand_in::{StandIn, list};

const ENDS: &str = "2099-01-01T00:00:00.123456+00:00";
const STORE: &str = "SDK_STORES";
const UNDER: &str = "SDK_STORES_UNDER";

/// The SDK itself: it stores what it is told to, or else writes down what it loads.
#[tokio::test]
#[ignore = "started by the other tests, each time in a process of its own"]
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

/// Starts the SDK in `home`; what it has stored when it is through.
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

/// The ways in which a key is given: as it is, in base64, and in the file that whoever comes first makes.
fn keys() -> [Option<String>; 3] {
    let key = age::x25519::Identity::generate().to_string().expose_secret().to_owned();
    [Some(key.clone()), Some(STANDARD.encode(&key)), None]
}

fn environment(key: Option<&str>) -> Environment {
    Environment { encryption_key: key.map(Secret::new), ..Environment::default() }
}

/// A control plane that authorizes everybody and takes every token.
async fn cloud() -> StandIn {
    StandIn::answering(|asked| match asked {
        _ if asked.is_for("base-url") => None,
        _ if asked.is_for("authorize") => Some(Answer::json(&authorized("enrolled-token"))),
        _ => Some(Answer::json(&list(&[]))),
    })
    .await
}

#[tokio::test]
async fn a_token_that_the_sdk_stored_is_read_and_used() {
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
        let asked = cloud.asked().pop().unwrap();
        assert_eq!(asked.bearer.as_deref(), Some("stored-by-the-sdk"));
        assert!(asked.is_for("/harmony/changes/01GATEWAY"), "{asked:?}");
    }
}

#[tokio::test]
async fn a_token_that_was_brought_is_read_by_the_sdk() {
    let cloud = cloud().await;
    for key in keys() {
        let gateway = Gateway::started(environment(key.as_deref()));
        let brought = MachineCredential {
            token: Secret::new("brought-token"),
            expires_at: SystemTime::UNIX_EPOCH + Duration::from_millis(4_000_000_000_123),
            gateway_id: "01GATEWAY".to_owned(),
            gateway_code: Some("edge".to_owned()),
            abilities: vec!["harmony:read".to_owned(), "mesh:token".to_owned()],
            control_plane: None,
            storage_key: None,
        };
        enrollment(&gateway.provider(&cloud.url())).adopt(brought).await.unwrap();
        let read = sdk(gateway.home.path(), key.as_deref(), &[]);
        assert_eq!((read.machine_token.as_str(), read.gateway_id.as_str()), ("brought-token", "01GATEWAY"));
        assert_eq!(read.abilities, ["harmony:read", "mesh:token"]);
        assert_eq!(read.expires_at, "2096-10-02T07:06:40.123Z");
        assert!(read.issued_at.starts_with("2025-06-15T"), "{}", read.issued_at);
    }
}

#[tokio::test]
async fn a_token_that_a_user_got_is_read_by_the_sdk() {
    let cloud = cloud().await;
    for key in keys() {
        let gateway = Gateway::started(environment(key.as_deref()));
        enrollment(&gateway.provider(&cloud.url())).enroll(&as_user()).await.unwrap();
        let read = sdk(gateway.home.path(), key.as_deref(), &[]);
        assert_eq!((read.machine_token.as_str(), read.gateway_id.as_str()), ("enrolled-token", "01GATEWAY"));
        assert_eq!(read.abilities, ["harmony:read"]);
    }
}

#[tokio::test]
async fn a_token_that_comes_with_a_key_of_its_own_is_read_by_the_sdk() {
    let cloud = cloud().await;
    for key in keys().iter().flatten() {
        let gateway = Gateway::stranger();
        let mut request = as_user();
        request.storage_key = Some(Secret::new(key.as_str()));
        enrollment(&gateway.provider(&cloud.url())).enroll(&request).await.unwrap();
        assert_eq!(sdk(gateway.home.path(), None, &[]).machine_token, "enrolled-token");
        assert_eq!(sdk(gateway.home.path(), Some(key), &[]).machine_token, "enrolled-token");
    }
}

#[tokio::test]
async fn what_the_sdk_stores_under_a_key_it_was_given_is_read_by_who_has_that_key() {
    let cloud = cloud().await;
    for key in keys().iter().flatten() {
        let gateway = Gateway::started(environment(Some(key)));
        sdk(gateway.home.path(), Some(key), &[(STORE, "stored-by-the-sdk"), (UNDER, key)]);
        source(&gateway.provider(&cloud.url())).pending().await.unwrap();
        let stranger = Gateway::at(Arc::clone(&gateway.home), Environment::default());
        let error = source(&stranger.provider(&cloud.url())).pending().await.unwrap_err();
        assert!(error.to_string().contains("RUNBEAM_ENCRYPTION_KEY"), "{error}");
    }
}

#[tokio::test]
async fn a_token_that_the_sdk_renews_is_picked_up_while_the_gateway_runs() {
    let cloud = cloud().await;
    for key in keys() {
        let gateway = Gateway::started(environment(key.as_deref()));
        let provider = gateway.provider(&cloud.url());
        enrollment(&provider).enroll(&as_user()).await.unwrap();
        for token in ["renewed-once", "renewed-more"] {
            sdk(gateway.home.path(), key.as_deref(), &[(STORE, token)]);
            source(&provider).pending().await.unwrap();
            assert_eq!(cloud.asked().pop().unwrap().bearer.as_deref(), Some(token));
        }
    }
}
