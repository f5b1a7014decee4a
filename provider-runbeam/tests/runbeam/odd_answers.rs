//! Answers with fields of other types than documented: one that has only one reading is taken, and a bad item does not
//! spoil the rest.

use provider_api::{ChangeStatus, DocumentKind, ErrorKind, Publication};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::calls::{authorized, enrollment_request};
use crate::claims::{Cloud, JWKS};
use crate::forge::{OURS, THEIRS};
use crate::gateway::{Gateway, change, enrollment, source, verify};
use crate::stand_in::StandIn;

/// A stand-in that answers `path` with `body`.
async fn answering(path: &'static str, body: Value) -> StandIn {
    StandIn::with(path, move || Answer::json(&body)).await
}

/// Returns `object` with a field replaced.
fn with(object: &Value, field: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[field] = value;
    object
}

/// Entries of a key set that are no keys leave the key beside them, and are no reason to forget the known keys.
#[tokio::test]
async fn bad_entries_of_a_key_set_leave_the_others() {
    let ours = OURS.published();
    let mut bad = vec![json!(null), json!(7), json!("key"), json!([]), json!({}), json!(true)];
    for field in ["kid", "kty", "n", "e", "use", "alg"] {
        for value in
            [json!(null), json!(7.5), json!([]), json!({}), json!(true), json!(""), json!("x".repeat(10_000))]
        {
            // Without a value these two say nothing, and the key is usable.
            if !(value.is_null() && ["use", "alg"].contains(&field)) {
                bad.push(with(&THEIRS.published(), field, value));
            }
        }
    }
    let cloud = Cloud::publishing().await;
    let (good, forged) = (OURS.sign(&cloud.claims(json!({}))), THEIRS.sign(&cloud.claims(json!({}))));
    for entry in bad {
        let set = json!({ "keys": [entry, ours, entry] });
        cloud.stand_in.respond_with(move |request| request.is_for(JWKS).then(|| Answer::json(&set)));
        let provider = Gateway::authorized().provider(&cloud.stand_in.url());
        verify(&provider, &good).await.unwrap_or_else(|error| panic!("{entry}: {error}"));
        assert_eq!(verify(&provider, &forged).await.unwrap_err().kind(), ErrorKind::Denied, "{entry}");
    }
}

/// A set of nothing but entries that are no keys is no set; an empty one is.
#[tokio::test]
async fn set_without_a_usable_key_replaces_nothing() {
    for (set, kind) in [
        (json!({ "keys": [null, { "kty": "RSA" }] }), ErrorKind::Unavailable),
        (json!({ "keys": null }), ErrorKind::Unavailable),
        (json!({ "keys": {} }), ErrorKind::Unavailable),
        (json!({ "keys": [] }), ErrorKind::Denied),
        (json!({ "keys": [with(&OURS.published(), "use", json!("enc"))] }), ErrorKind::Denied),
    ] {
        let cloud = Cloud::publishing().await;
        let shown = set.to_string();
        cloud.stand_in.respond_with(move |request| request.is_for(JWKS).then(|| Answer::json(&set)));
        let token = OURS.sign(&cloud.claims(json!({})));
        assert_eq!(verify(&cloud.provider, &token).await.unwrap_err().kind(), kind, "{shown}");
    }
}

#[tokio::test]
async fn number_as_a_key_id_is_its_digits() {
    let cloud = Cloud::publishing().await;
    let set = json!({ "keys": [with(&OURS.published(), "kid", json!(7))] });
    cloud.stand_in.respond_with(move |request| request.is_for(JWKS).then(|| Answer::json(&set)));
    let header = json!({ "typ": "JWT", "alg": "RS256", "kid": "7" }).to_string();
    let claims = cloud.claims(json!({})).to_string();
    let token = crate::forge::signed(&header, &claims, &OURS.signing, jsonwebtoken::Algorithm::RS256);
    verify(&cloud.provider, &token).await.unwrap();
}

/// Fields that are not needed may have any type, and an id may be a number. `type`, `enabled` and `mode` have no second reading.
#[tokio::test]
async fn resource_with_odd_fields() {
    let good = json!({ "type": "ingress", "id": "01R", "name": "fhir", "urls": ["https://a.example/", "https://b.example/"] });
    let resolved = async |resource: Value| {
        let cloud = answering("resolve", json!({ "data": resource })).await;
        let provider = Gateway::authorized().provider(&cloud.url());
        let reference = "runbeam.acme.ingress.name.fhir".parse().unwrap();
        provider.resolver().unwrap().resolve(&reference).await.map(|resolved| resolved.resource)
    };
    let urls = async |resource: Value| resolved(resource).await.map(|resource| resource.urls.join(" "));
    for (field, value) in [
        ("id", json!(7)),
        ("team_id", json!(7)),
        ("gateway_id", json!(null)),
        ("mesh_id", json!(0)),
        ("description", json!(null)),
        ("ingress", json!(null)),
        ("tomorrow", json!([{}])),
    ] {
        assert_eq!(
            urls(with(&good, field, value)).await.unwrap(),
            "https://a.example/ https://b.example/",
            "{field}"
        );
    }
    for bad in [json!(null), json!(7), json!([]), json!({}), json!(true)] {
        let list = json!(["https://a.example/", bad, "https://b.example/"]);
        assert_eq!(
            urls(with(&good, "urls", list)).await.unwrap(),
            "https://a.example/ https://b.example/",
            "{bad}"
        );
    }
    for (field, value) in [
        ("type", json!(null)),
        ("type", json!("")),
        ("type", json!(7)),
        ("enabled", json!(null)),
        ("enabled", json!("no")),
        ("enabled", json!(0)),
        ("mode", json!("Mesh")),
        ("mode", json!(7)),
        ("id", json!(null)),
        ("id", json!([])),
        ("id", json!(" ")),
        ("name", json!({})),
        ("urls", json!([7])),
        ("urls", json!("https://a.example/")),
        ("urls", json!({})),
    ] {
        let resource = with(&good, field, value.clone());
        assert_eq!(resolved(resource).await.unwrap_err().kind(), ErrorKind::Unavailable, "{field}: {value}");
    }
}

/// An acknowledgement that failed is found in every form of the list.
#[tokio::test]
async fn failed_acknowledgement_in_any_form() {
    for failed in [
        json!(["01A"]),
        json!({ "0": "01A" }),
        json!([null, 7, "01A"]),
        json!([{ "id": "01A", "error": "gone" }]),
        json!({ "01A": "gone" }),
        json!("01A"),
    ] {
        let cloud = answering("acknowledge", json!({ "acknowledged": [], "failed": failed })).await;
        let provider = Gateway::authorized().provider(&cloud.url());
        let error = source(&provider).report(&change("01A"), &ChangeStatus::Received).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{failed}");
    }
    for failed in [json!(null), json!([]), json!({}), json!([null]), json!(["01B"]), json!(0), json!(false)] {
        let cloud = answering("acknowledge", json!({ "acknowledged": ["01A"], "failed": failed })).await;
        let provider = Gateway::authorized().provider(&cloud.url());
        source(&provider).report(&change("01A"), &ChangeStatus::Received).await.unwrap();
    }
}

/// A user's authorization is used up by the call, so its answer is not refused for what nothing depends on.
#[tokio::test]
async fn authorization_with_odd_fields() {
    let good = authorized("canary");
    let gateway = |field: &str, value: Value| with(&good, "gateway", with(&good["gateway"], field, value));
    for (answer, id) in [
        (with(&good, "abilities", json!(null)), "01GATEWAY"),
        (with(&good, "abilities", json!({})), "01GATEWAY"),
        (with(&good, "abilities", json!(["harmony:read", 7, null])), "01GATEWAY"),
        (gateway("code", json!([])), "01GATEWAY"),
        (gateway("name", json!(null)), "01GATEWAY"),
        (gateway("id", json!(42)), "42"),
    ] {
        let cloud = answering("authorize", answer.clone()).await;
        let provider = Gateway::unauthorized().provider(&cloud.url());
        let enrolled = enrollment(&provider).enroll(&enrollment_request()).await;
        assert_eq!(
            enrolled.map(|enrolled| enrolled.gateway_id).map_err(|e| e.to_string()).as_deref(),
            Ok(id),
            "{answer}"
        );
    }
    for answer in [
        gateway("id", json!(null)),
        gateway("id", json!([])),
        gateway("id", json!("")),
        with(&good, "machine_token", json!(7)),
        with(&good, "expires_at", json!(4_000_000_000_u64)),
    ] {
        let cloud = answering("authorize", answer.clone()).await;
        let provider = Gateway::unauthorized().provider(&cloud.url());
        enrollment(&provider).enroll(&enrollment_request()).await.expect_err(&answer.to_string());
    }
}

#[tokio::test]
async fn publication_with_odd_fields() {
    for (data, expected) in [
        (json!({ "id": 7, "action": "created" }), Some(("7", true))),
        (json!({ "id": "01A" }), Some(("01A", false))),
        (json!({ "id": "01A", "action": null }), Some(("01A", false))),
        (json!({ "id": null, "action": "created" }), None),
        (json!({ "id": [], "action": "created" }), None),
        (json!([]), None),
    ] {
        let cloud = answering("update", json!({ "data": data })).await;
        let provider = Gateway::authorized().provider(&cloud.url());
        let publication =
            Publication { kind: &DocumentKind::Pipeline, id: None, document: "[pipelines.x]\n" };
        let published = provider.publisher().unwrap().publish(&publication).await.ok();
        let published = published.as_ref().map(|published| (published.id.as_str(), published.created));
        assert_eq!(published, expected, "{data}");
    }
}
