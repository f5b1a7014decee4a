//! The memory beside the stored machine token: which tokens of the environment are used up, and which gateway this is.
//!
//! A variable stays set for as long as its deployment does. Without this memory, a restart would go back to a token that
//! the control plane refused, or that a user replaced since.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::credential::Credential;
use crate::private_file;

/// The maximum number of remembered tokens; the oldest are forgotten.
const MAX_TOKENS: usize = 64;

/// The record of one token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenToken {
    /// SHA-256 of the origin of the control plane and the token.
    sha256: String,
    /// The time at which it was first seen, in seconds since 1970.
    seen_at: u64,
    /// Set while the control plane refuses it.
    #[serde(default)]
    pub(crate) refused: bool,
    /// Set when another token was stored since.
    #[serde(default)]
    pub(crate) replaced: bool,
    /// The gateway of a bare token, once the control plane has told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gateway_id: Option<String>,
}

#[derive(Default, Deserialize, Serialize)]
struct Content {
    tokens: Vec<SeenToken>,
    /// The id that this gateway is enrolled with, by the origin of the control plane. It is known even while the stored
    /// token cannot be decrypted: a lost key must not make the gateway anybody's.
    #[serde(default)]
    enrolled: BTreeMap<String, String>,
    /// The gateway of the last bare token that worked, by the origin of the control plane; `None` inside until the control
    /// plane has told the id. Enrolling with a credential that is stored ends it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    bare: BTreeMap<String, Option<String>>,
}

impl SeenToken {
    /// Creates the memory of a token that is seen for the first time.
    pub(crate) fn new(credential: &Credential, origin: &str, now: SystemTime) -> Self {
        let seen_at = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { sha256: hash(credential, origin), seen_at, refused: false, replaced: false, gateway_id: None }
    }

    pub(crate) fn seen_at(&self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.seen_at))
    }
}

/// The file of the memory. The methods do blocking I/O.
#[derive(Clone, Debug)]
pub(crate) struct SeenTokens(pub(crate) PathBuf);

impl SeenTokens {
    /// Returns what is remembered of the token. A file that cannot be read is an empty memory.
    pub(crate) fn find(&self, credential: &Credential, origin: &str) -> Option<SeenToken> {
        let sha256 = hash(credential, origin);
        self.read().tokens.into_iter().find(|token| token.sha256 == sha256)
    }

    /// Remembers a token, over what was remembered of it.
    pub(crate) fn remember(&self, token: &SeenToken) {
        let mut content = self.read();
        content.tokens.retain(|known| known.sha256 != token.sha256);
        content.tokens.push(token.clone());
        let excess = content.tokens.len().saturating_sub(MAX_TOKENS);
        content.tokens.drain(..excess);
        self.write(&content);
    }

    /// Returns the id that this gateway is enrolled with at `origin`.
    pub(crate) fn gateway_id(&self, origin: &str) -> Option<String> {
        self.read().enrolled.remove(origin)
    }

    /// Remembers the id that this gateway is enrolled with at `origin`.
    pub(crate) fn remember_gateway(&self, origin: &str, id: &str) {
        let mut content = self.read();
        let before = content.enrolled.insert(origin.to_owned(), id.to_owned());
        let was_bare = content.bare.remove(origin).is_some();
        if was_bare || before.as_deref() != Some(id) {
            self.write(&content);
        }
    }

    /// Returns the gateway of the last bare token that worked at `origin`; `None` inside if its id is not known.
    pub(crate) fn bare(&self, origin: &str) -> Option<Option<String>> {
        self.read().bare.remove(origin)
    }

    /// Remembers that a bare token works at `origin`, and the id of its gateway if that is known.
    pub(crate) fn remember_bare(&self, origin: &str, id: Option<&str>) {
        let mut content = self.read();
        let now = Some(id.map(str::to_owned));
        if content.bare.get(origin).cloned() != now {
            content.bare.insert(origin.to_owned(), id.map(str::to_owned));
            self.write(&content);
        }
    }

    fn write(&self, content: &Content) {
        let written = serde_json::to_vec(content)
            .map_err(std::io::Error::from)
            .and_then(|json| private_file::write(&self.0, &json));
        if let Err(error) = written {
            let file = self.0.display();
            let remedy = private_file::remedy(&error);
            tracing::warn!(%file, %error, remedy, "cannot remember which machine token this gateway has");
        }
    }

    fn read(&self) -> Content {
        let content = private_file::read(&self.0).ok().flatten();
        content.and_then(|content| serde_json::from_slice(&content.bytes).ok()).unwrap_or_default()
    }
}

fn hash(credential: &Credential, origin: &str) -> String {
    let text = zeroize::Zeroizing::new(format!("{origin}\n{}", credential.token.expose()));
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}
