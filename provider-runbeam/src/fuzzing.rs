//! The entry points of the fuzz targets, and the test that replays their corpus. Not part of the public API.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use provider_api::{Expected, MeshIdentity, Secret};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde::de::DeserializeOwned;
use url::Url;

use crate::call::{Bearer, Call};
use crate::credential::Credential;
use crate::entry;
use crate::error_response::{ErrorResponse, to_error};
use crate::key::{Key, validation};
use crate::keys::usable_keys;
use crate::purpose::Purpose;
use crate::settings::Settings;
use crate::storage_key::StorageKey;
use crate::transforms::required_transforms;
use crate::urls::{append_path, same_origin_url};
use crate::verify::{check_claims, key_id, signed_claims};
use crate::wire::{
    Acknowledged, Authorized, BaseUrl, ChangeDetail, ChangeList, Jwks, MeshTokenAnswer, ResolvedResource,
    TransformAnswer, Updated,
};

const SECRET: &str = "canary-0123456789";

static CLOUD: LazyLock<Option<Url>> = LazyLock::new(|| Url::parse("https://cloud.example/api").ok());
static MESH: LazyLock<MeshIdentity> =
    LazyLock::new(|| MeshIdentity { name: "imaging".to_owned(), id: Some("01H".to_owned()) });
static STORAGE_KEY: LazyLock<StorageKey> = LazyLock::new(StorageKey::generate);

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_750_000_000)
}

/// Decodes `bytes` as every kind of response of the control plane.
pub fn wire(bytes: &[u8]) {
    let Some(cloud) = &*CLOUD else { return };
    if let Some(list) = read::<ChangeList>(bytes) {
        for head in list.data.iter().filter_map(|change| entry::read(change).ok()).map(|(head, _)| head) {
            let url = append_path(cloud, "harmony/change", &[head.id.as_str()]);
            assert_eq!(url.path_segments().and_then(|mut all| all.next_back()), Some(head.id.as_str()));
        }
        list.next.iter().for_each(|link| check_origin(cloud, link));
    }
    if let Some(detail) = read::<ChangeDetail>(bytes) {
        let _ = required_transforms(&detail.data.toml_config.unwrap_or_default());
    }
    if let Some(named) = read::<BaseUrl>(bytes) {
        [named.full_url, named.base_url].iter().flatten().for_each(|url| check_origin(cloud, url));
    }
    if let Some(set) = read::<Jwks>(bytes) {
        let _ = usable_keys(&set);
    }
    let _ = read::<Acknowledged>(bytes);
    let _ = read::<ResolvedResource>(bytes).map(|answer| answer.data.clone());
    let _ = read::<MeshTokenAnswer>(bytes).map(|answer| SystemTime::try_from(answer.expires_at));
    let _ = read::<TransformAnswer>(bytes);
    let _ = read::<Authorized>(bytes).map(|answer| SystemTime::try_from(answer.expires_at));
    let _ = read::<Updated>(bytes);
    error_response(bytes);
}

/// Checks that a URL of the control plane has the configured origin or is refused.
fn check_origin(cloud: &Url, named: &str) {
    if let Ok(url) = same_origin_url("fuzzing", cloud, cloud, named) {
        assert_eq!(url.origin(), cloud.origin());
        assert!(url.username().is_empty() && url.password().is_none());
    }
}

/// Uses `body` as the body and the `Retry-After` of an error response. The error must not contain the sent token.
fn error_response(body: &[u8]) {
    let Some(cloud) = &*CLOUD else { return };
    let sent = Secret::new(SECRET);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(body) {
        headers.insert(RETRY_AFTER, value);
    }
    let all = [Purpose::Resource, Purpose::MeshToken, Purpose::Gateway, Purpose::User, Purpose::Public];
    for (purpose, status) in all.into_iter().zip([
        StatusCode::BAD_REQUEST,
        StatusCode::FORBIDDEN,
        StatusCode::UNAUTHORIZED,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
    ]) {
        let response = ErrorResponse { url: cloud, status, headers: &headers, body };
        let call = Call { action: "fuzzing", purpose, bearer: Bearer::User(&sent), document: false };
        let error = to_error(&call, &response, now());
        assert!(!error.to_string().contains(SECRET), "{error}");
    }
}

/// Parses `bytes` as the input of a user or a file: a machine token, a storage key, an encrypted token, and the
/// provider section. A decoded credential must survive a round trip through its JSON form.
pub fn credential(bytes: &[u8]) {
    if let Ok(credential) = Credential::from_json(bytes) {
        let again = credential.to_json(now()).and_then(|json| Credential::from_json(&json));
        // A time of issue is written, and one in the future is not.
        let issued_at = Some(credential.issued_at.map_or(now(), |issued_at| issued_at.min(now())));
        assert_eq!(again.ok(), Some(Credential { issued_at, ..credential }));
    }
    assert!(STORAGE_KEY.decrypt(bytes).is_none(), "only this process has the key");
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = StorageKey::parse(text);
    if let Ok(settings) = toml::from_str::<Settings>(text) {
        let _ = settings.cadence();
        if let Ok(url) = settings.base_url() {
            assert!(url.has_host() && matches!(url.scheme(), "http" | "https"));
        }
    }
}

/// Verifies `bytes` as a mesh token, and its first two lines as the header and claims of a token with a valid
/// signature. An accepted token must match the expectation and must not have expired.
pub fn token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    check_token(&text);
    if let Some((header, claims)) = text.split_once('\n') {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        if let Ok(signature) = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256) {
            check_token(&format!("{message}.{signature}"));
        }
    }
}

/// Verifies one token. The key is a shared secret: an RSA signature would take longer than everything else.
fn check_token(token: &str) {
    let (Some(cloud), Ok(_)) = (&*CLOUD, key_id(token)) else { return };
    let algorithm = Algorithm::HS256;
    let decoding = DecodingKey::from_secret(SECRET.as_bytes());
    let key = Key { algorithm, decoding, validation: validation(algorithm) };
    let expected = Expected { mesh: &MESH, url: "https://node-b.example/r4/Patient" };
    let Ok(claims) = signed_claims(&[key], token) else { return };
    if let Ok(claims) = check_claims(claims, cloud, &expected, now()) {
        assert_eq!(claims.mesh_id, "01H");
        let origin = Url::parse(&claims.issuer).map(|url| url.origin()).ok();
        assert!(claims.issuer == "01H" || origin == Some(cloud.origin()));
        assert!(!claims.subject.trim().is_empty() && claims.expires_at > now() - Duration::from_secs(60));
    }
}

#[cfg(test)]
mod tests {
    fn replay(target: &str, entry: fn(&[u8])) {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/").to_owned() + target;
        let inputs: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!inputs.is_empty());
        inputs.iter().for_each(|input| entry(&std::fs::read(input).unwrap()));
    }

    #[test]
    fn corpus_is_replayed() {
        replay("wire", super::wire);
        replay("credential", super::credential);
        replay("cloud_token", super::token);
    }
}
