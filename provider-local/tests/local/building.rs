//! Building the provider: abilities, name, keys.

use provider_api::{ErrorKind, Inventory, MeshDefinition, MeshIdentity, MeshKeys};

use crate::forge::base64;
use crate::harness::{Gateway, SECRET, mesh, shared};
use crate::rsa::{OURS, THEIRS, pem, rsa};

fn build(meshes: Vec<MeshDefinition>) -> provider_api::Result<Gateway> {
    Gateway::new(Inventory { resources: Vec::new().into(), meshes })
}

/// Returns the error for a mesh with `keys`, and checks that it does not contain `secret`.
fn build_error(keys: MeshKeys, secret: &str) -> String {
    let error = build(vec![mesh(keys)]).err().expect("to be refused");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let all = format!("{error} {error:?}");
    assert!(secret.is_empty() || !all.contains(secret), "{all}");
    error.to_string()
}

#[test]
fn only_resolver_and_mesh_auth_exist() {
    let provider = Gateway::with_secret().provider;
    assert_eq!(provider.name().as_str(), "local");
    assert!(provider.resolver().is_some() && provider.mesh_auth().is_some());
    assert!(provider.source().is_none() && provider.enrollment().is_none() && provider.publisher().is_none());
}

#[test]
fn other_name_is_refused() {
    let error = Gateway::named("house", Inventory::default()).err().expect("to be refused");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`house`"), "{error}");
}

#[test]
fn blank_secret_is_refused() {
    for blank in ["", "  ", "\n"] {
        assert_eq!(build_error(shared(blank), ""), "mesh `imaging`: jwt_secret is blank");
    }
    // A short secret is the host's to warn about.
    assert!(build(vec![mesh(shared("short"))]).is_ok());
}

#[test]
fn invalid_pem_is_refused() {
    let canary = "canary-in-a-key-file";
    let wrapped = pem("PRIVATE KEY", canary.as_bytes());
    let encoded = base64(canary.as_bytes());
    let cut = &OURS.private[..OURS.private.len() / 2];
    for (private, secret) in [
        (canary, canary),
        (&wrapped, &encoded),
        ("", ""),
        (cut, &cut[100..140]),
        (&OURS.public, &OURS.public[100..140]),
    ] {
        let reason = build_error(rsa(Some(private), Some(&OURS.public)), secret);
        assert!(reason.contains("mesh `imaging`") && reason.contains("jwt_private_key_path"), "{reason}");
    }
    let wrapped = pem("PUBLIC KEY", canary.as_bytes());
    for (public, secret) in
        [(canary, canary), (&wrapped, &encoded), ("", ""), (&OURS.private, &OURS.private[100..140])]
    {
        let reason = build_error(rsa(Some(&OURS.private), Some(public)), secret);
        assert!(reason.contains("mesh `imaging`") && reason.contains("jwt_public_key_path"), "{reason}");
    }
    assert!(build_error(rsa(None, None), "").contains("neither"));
}

#[test]
fn small_public_key_is_refused() {
    // SubjectPublicKeyInfo of a 512-bit modulus: aws-lc parses it, but verifies no signature with it.
    let modulus = [[0xc5; 63].as_slice(), &[0xc5]].concat();
    let key = sequence(&[integer(&modulus), integer(&[1, 0, 1])].concat());
    let rsa_encryption =
        sequence(&[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00]);
    let bits = der(0x03, &[&[0], key.as_slice()].concat());
    let small = pem("PUBLIC KEY", &sequence(&[rsa_encryption, bits].concat()));
    assert!(build_error(rsa(None, Some(&small)), "").contains("2048"));
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let head = if length < 128 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [head.as_slice(), content].concat()
}

fn sequence(content: &[u8]) -> Vec<u8> {
    der(0x30, content)
}

fn integer(digits: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if digits[0] >= 128 { &[0] } else { &[] };
    der(0x02, &[sign, digits].concat())
}

#[test]
fn duplicate_mesh_name_is_refused() {
    let meshes = vec![mesh(shared(SECRET)), mesh(shared("other"))];
    assert!(build(meshes).err().expect("to be refused").to_string().contains("`imaging`"));
}

#[tokio::test]
async fn mesh_without_local_keys_is_unknown() {
    let mut remote = mesh(shared(SECRET));
    remote.provider = "runbeam".parse().unwrap();
    let mut keyless = mesh(shared(SECRET));
    keyless.keys = None;
    for other in [remote, keyless] {
        let error = build(vec![other]).unwrap().issue().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[test]
fn debug_shows_no_key_material() {
    let mut second = mesh(OURS.both());
    second.identity = MeshIdentity { name: "radiology".to_owned(), id: None };
    let gateway = build(vec![mesh(shared(SECRET)), second]).unwrap();
    let bytes = format!("{:?}", SECRET.as_bytes());
    for shown in [format!("{:?}", gateway.provider), format!("{:#?}", gateway.provider)] {
        assert!(shown.contains("imaging") && shown.contains("RS256"), "{shown}");
        assert!(!shown.contains("canary") && !shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
        for line in OURS.private.lines().chain(OURS.public.lines()) {
            assert!(!shown.contains(line), "{shown}");
        }
    }
    assert_ne!(OURS.private, THEIRS.private);
}
