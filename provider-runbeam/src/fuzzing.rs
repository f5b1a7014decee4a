//! What the fuzz targets call, and the test that replays what they have found. No part of the API.

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

use crate::api::decode;
use crate::base::{below, own};
use crate::credential::Credential;
use crate::key::{Key, validation};
use crate::key_sets::usable;
use crate::settings::Settings;
use crate::status::{Asking, Refusal, error};
use crate::store_key::StoreKey;
use crate::transforms::needed;
use crate::verify::{checked, key_id};
use crate::wire::{
    Acknowledged, Authorized, BaseUrl, ChangeDetail, ChangeList, Jwks, MeshTokenAnswer, ResolvedResource,
    TransformAnswer, Updated,
};

const SECRET: &str = "canary-0123456789";

static CLOUD: LazyLock<Option<Url>> = LazyLock::new(|| Url::parse("https://cloud.example/api").ok());
static MESH: LazyLock<MeshIdentity> =
    LazyLock::new(|| MeshIdentity { name: "imaging".to_owned(), id: Some("01H".to_owned()) });
static STORE_KEY: LazyLock<StoreKey> = LazyLock::new(StoreKey::generate);

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    decode("fuzzing", bytes).ok()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_750_000_000)
}

/// An answer of the control plane in any bytes, read as every kind of answer there is.
pub fn wire(bytes: &[u8]) {
    let Some(cloud) = &*CLOUD else { return };
    if let Some(list) = read::<ChangeList>(bytes) {
        for head in list.data.iter().filter_map(|change| change.head()) {
            let url = below(cloud, "harmony/change", &[head.id.as_str()]);
            assert_eq!(url.path_segments().and_then(|mut all| all.next_back()), Some(head.id.as_str()));
        }
        list.links.and_then(|links| links.next).iter().for_each(|link| stays(cloud, link));
    }
    if let Some(detail) = read::<ChangeDetail>(bytes) {
        let _ = needed(&detail.data.toml_config.unwrap_or_default());
    }
    if let Some(named) = read::<BaseUrl>(bytes) {
        [named.full_url, named.base_url].iter().flatten().for_each(|url| stays(cloud, url));
    }
    if let Some(set) = read::<Jwks>(bytes) {
        let _ = usable(&set);
    }
    let _ = read::<Acknowledged>(bytes);
    let _ = read::<ResolvedResource>(bytes).map(|answer| answer.data.clone());
    let _ = read::<MeshTokenAnswer>(bytes).map(|answer| SystemTime::try_from(answer.expires_at));
    let _ = read::<TransformAnswer>(bytes);
    let _ = read::<Authorized>(bytes).map(|answer| SystemTime::try_from(answer.expires_at));
    let _ = read::<Updated>(bytes);
    refused(bytes);
}

/// Whatever the control plane names is at the configured origin, or is not followed.
fn stays(cloud: &Url, named: &str) {
    if let Ok(url) = own("fuzzing", cloud, cloud, named) {
        assert_eq!(url.origin(), cloud.origin());
        assert!(url.username().is_empty() && url.password().is_none());
    }
}

/// As the body of a refusal, and as its `Retry-After`: what was sent is never repeated.
fn refused(body: &[u8]) {
    let sent = Secret::new(SECRET);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(body) {
        headers.insert(RETRY_AFTER, value);
    }
    let all =
        [Asking::ForResource, Asking::ForMeshToken, Asking::AsGateway, Asking::AsPerson, Asking::Public];
    for (asking, status) in all.into_iter().zip([
        StatusCode::BAD_REQUEST,
        StatusCode::FORBIDDEN,
        StatusCode::UNAUTHORIZED,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
    ]) {
        let refusal = Refusal { status, headers: &headers, body };
        let error = error("fuzzing", asking, &refusal, Some(&sent), now());
        assert!(!error.to_string().contains(SECRET), "{error}");
    }
}

/// What a person or a file brings, in any bytes: the machine token, the key it is stored under, what is stored,
/// and the section of the configuration. A credential that was read is written so that it reads the same.
pub fn credential(bytes: &[u8]) {
    if let Ok(credential) = Credential::from_json(bytes) {
        let again = credential.to_json(now()).and_then(|json| Credential::from_json(&json));
        assert_eq!(again.ok(), Some(credential));
    }
    assert!(STORE_KEY.decrypt(bytes).is_none(), "nobody else has this key");
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = StoreKey::parse(text);
    if let Ok(settings) = toml::from_str::<Settings>(text) {
        let _ = settings.cadence();
        if let Ok(url) = settings.base() {
            assert!(url.has_host() && matches!(url.scheme(), "http" | "https"));
        }
    }
}

/// A mesh token in any bytes, twice: as somebody sends it, and as a header and claims, a line each, that are
/// signed well. What is admitted is what was expected, and has not ended.
pub fn token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    judge(&text);
    if let Some((header, claims)) = text.split_once('\n') {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        if let Ok(signature) = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256) {
            judge(&format!("{message}.{signature}"));
        }
    }
}

/// A shared secret stands in for the key pair: signing with that would take longer than everything else.
fn judge(token: &str) {
    let (Some(cloud), Ok(_)) = (&*CLOUD, key_id(token)) else { return };
    let algorithm = Algorithm::HS256;
    let decoding = DecodingKey::from_secret(SECRET.as_bytes());
    let key = Key { algorithm, decoding, validation: validation(algorithm) };
    let expected = Expected { mesh: &MESH, url: "https://node-b.example/r4/Patient" };
    if let Ok(claims) = checked(&key, cloud, &expected, token, now()) {
        assert_eq!(claims.mesh_id, "01H");
        assert_eq!(Url::parse(&claims.issuer).map(|url| url.origin()).ok(), Some(cloud.origin()));
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
    fn what_the_fuzzer_kept_is_survived() {
        replay("wire", super::wire);
        replay("credential", super::credential);
        replay("cloud_token", super::token);
    }
}
