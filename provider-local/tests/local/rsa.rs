//! RSA keys, generated for each run, so that the repository contains no private key.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use provider_api::{MeshKeys, Secret};

use crate::forge::base64;

pub(crate) struct Pems {
    pub(crate) private: String,
    pub(crate) public: String,
}

pub(crate) static OURS: LazyLock<Pems> = LazyLock::new(Pems::generate);
pub(crate) static THEIRS: LazyLock<Pems> = LazyLock::new(Pems::generate);

impl Pems {
    fn generate() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        Self { private: pem("PRIVATE KEY", private.as_ref()), public: pem("PUBLIC KEY", public.as_ref()) }
    }

    pub(crate) fn both(&self) -> MeshKeys {
        rsa(Some(&self.private), Some(&self.public))
    }
}

pub(crate) fn rsa(private: Option<&str>, public: Option<&str>) -> MeshKeys {
    MeshKeys::Rsa { private_pem: private.map(Secret::new), public_pem: public.map(Arc::from) }
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let encoded = base64(der);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
