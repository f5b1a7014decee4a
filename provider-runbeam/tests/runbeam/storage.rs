//! The stored machine token: checks before storing, damage, permissions.

use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use provider_api::{CredentialStatus, ErrorKind, MachineCredential, Secret};
use provider_runbeam::Environment;
use serde_json::json;

use crate::answer::Answer;
use crate::calls::{authorized, enrollment_request};
use crate::credential::{accepting, machine_credential, token_in_use, unavailable};
use crate::gateway::{GATEWAY, Gateway, TOKEN, enrollment};
use crate::stand_in::StandIn;

#[tokio::test]
async fn token_of_other_control_plane_is_refused() {
    let cloud = accepting().await;
    let gateway = Gateway::unauthorized();
    let provider = gateway.provider(&cloud.url());
    let port = cloud.url().rsplit(':').next().unwrap().to_owned();
    for other in [
        "https://api.runbeam.cloud".to_owned(),
        cloud.url().replace("http:", "https:"),
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1.evil.example:{port}"),
        format!("http://127.0.0.1:{port}@evil.example"),
        "127.0.0.1".to_owned(),
        String::new(),
    ] {
        let credential =
            MachineCredential { control_plane: Some(other.clone()), ..machine_credential("canary") };
        let error = enrollment(&provider).adopt(credential).await.expect_err(&other);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{other}");
        assert!(error.to_string().contains(&cloud.url()) && !error.to_string().contains("evil"), "{error}");
    }
    assert_eq!(enrollment(&provider).credential_status(), CredentialStatus::Missing);
    assert!(!gateway.state_dir().exists());
    let own =
        MachineCredential { control_plane: Some(cloud.url() + "/api"), ..machine_credential("good-token") };
    enrollment(&provider).adopt(own).await.unwrap();
    assert_eq!(token_in_use(&provider, &cloud).await.as_deref(), Some("good-token"));
}

#[tokio::test]
async fn invalid_token_changes_nothing() {
    let cloud = accepting().await;
    let provider = Gateway::authorized().provider(&cloud.url());
    let good = || machine_credential("canary");
    for bad in [
        machine_credential(""),
        machine_credential("can ary"),
        machine_credential("can\r\nary"),
        machine_credential(&"canary".repeat(2_000)),
        MachineCredential { gateway_id: String::new(), ..good() },
        MachineCredential { gateway_id: "a/../b".to_owned(), ..good() },
        MachineCredential { gateway_id: "01ANOTHER".to_owned(), ..good() },
        MachineCredential { expires_at: SystemTime::UNIX_EPOCH, ..good() },
        MachineCredential { storage_key: Some(Secret::new("canary")), ..good() },
    ] {
        let error = enrollment(&provider).adopt(bad).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert_eq!(token_in_use(&provider, &cloud).await.as_deref(), Some(TOKEN));
    }
}

#[tokio::test]
async fn unusable_authorization_stores_nothing() {
    for (field, value) in [
        ("machine_token", json!("")),
        ("machine_token", json!("two words")),
        ("machine_token", json!(null)),
        ("expires_at", json!("2001-01-01T00:00:00Z")),
        ("expires_at", json!(7)),
        ("gateway", json!({ "id": "" })),
        ("gateway", json!({ "id": "../x" })),
    ] {
        let mut answer = authorized("canary");
        answer[field] = value.clone();
        let cloud = StandIn::with("authorize", move || Answer::json(&answer)).await;
        let gateway = Gateway::unauthorized();
        let provider = gateway.provider(&cloud.url());
        let error = enrollment(&provider).enroll(&enrollment_request()).await.expect_err(field);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{field} {value}: {error}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert!(!gateway.state_dir().exists(), "{field}");
    }
}

#[tokio::test]
async fn damaged_file_is_reported_and_replaced() {
    let cloud = accepting().await;
    let gateway = Gateway::unauthorized();
    let provider = gateway.provider(&cloud.url());
    enrollment(&provider).adopt(machine_credential("first-token")).await.unwrap();
    let file = gateway.state_dir().join(GATEWAY).join("runbeam/auth.json");
    let whole = std::fs::read(&file).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"", b"{\"machine_token\":\"canary\"}"] {
        std::fs::write(&file, damaged).unwrap();
        let why = unavailable(&provider).await;
        assert!(why.contains("auth.json") && why.contains("authorize"), "{why}");
        std::fs::write(&file, &whole).unwrap();
        assert_eq!(token_in_use(&provider, &cloud).await.as_deref(), Some("first-token"));
    }
    std::fs::remove_file(&file).unwrap();
    unavailable(&provider).await;
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_private_and_encrypted() {
    use std::os::unix::fs::PermissionsExt as _;

    let cloud = accepting().await;
    let gateway = Gateway::unauthorized();
    let provider = gateway.provider(&cloud.url());
    enrollment(&provider).adopt(machine_credential(TOKEN)).await.unwrap();
    let home = gateway.state_dir().join(GATEWAY);
    for (name, mode) in
        [("", 0o700), ("runbeam", 0o700), ("runbeam/auth.json", 0o600), ("encryption.key", 0o600)]
    {
        let found = std::fs::metadata(home.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
    let encrypted = std::fs::read(home.join("runbeam/auth.json")).unwrap();
    assert!(!encrypted.windows(TOKEN.len()).any(|bytes| bytes == TOKEN.as_bytes()));
    assert_eq!(std::fs::read_dir(home.join("runbeam")).unwrap().count(), 1, "no temporary file is left");
    let key = STANDARD.decode(std::fs::read(home.join("encryption.key")).unwrap()).unwrap();
    assert!(key.starts_with(b"AGE-SECRET-KEY-1"), "the form of the official SDK");
    // A key that every user can read protects nothing.
    std::fs::set_permissions(home.join("encryption.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let later = Gateway::at(Arc::clone(&gateway.home), Environment::default());
    assert!(unavailable(&later.provider(&cloud.url())).await.contains("readable for every user"));
}

/// A gateway whose stored token cannot be decrypted is still the gateway that it was: a lost key does not make it
/// anybody's, and enrolling it again as itself is the way back.
#[tokio::test]
async fn lost_key_keeps_the_identity() {
    let cloud = accepting().await;
    let gateway = Gateway::unauthorized();
    enrollment(&gateway.provider(&cloud.url())).adopt(machine_credential("first-token")).await.unwrap();
    std::fs::remove_file(gateway.state_dir().join(GATEWAY).join("encryption.key")).unwrap();
    let later = Gateway::at(Arc::clone(&gateway.home), Environment::default());
    let provider = later.provider(&cloud.url());
    unavailable(&provider).await;
    let another = MachineCredential { gateway_id: "01ANOTHER".to_owned(), ..machine_credential("canary") };
    let error = enrollment(&provider).adopt(another).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("`01GATEWAY`"), "{error}");
    enrollment(&provider).enroll(&enrollment_request()).await.unwrap();
    assert_eq!(token_in_use(&provider, &cloud).await.as_deref(), Some("enrolled-token"));
}
