//! The format of a saved configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::providers::resolutions::{CachedResolution, Resolutions};
use crate::snapshot::Snapshot;
use crate::storage::sealed::{seal, unseal};

/// The version of the file format. A file of another version is rejected: guessing could serve a wrong configuration.
const SCHEMA: u32 = 1;

/// A configuration that was served, with the data that the gateway collected meanwhile. Files do not expire;
/// resolutions are used for at most [`MAX_STALE`](crate::providers::resolutions::MAX_STALE); a provider checks the age
/// of its own data. Mesh tokens and the machine token are never saved here.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Generation<F = BTreeMap<String, String>> {
    schema: u32,
    /// The time of the save, in seconds since 1970.
    #[serde(rename = "kept_at")]
    saved_at: u64,
    /// The files by name, keys and certificates included.
    pub(crate) files: F,
    #[serde(flatten)]
    pub(crate) metadata: Metadata,
}

/// The metadata of a generation: everything but the files. An equal one need not be saved again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    /// The digest of the files.
    pub(crate) digest: String,
    /// The number of the generation; 0 in a file of an earlier version.
    #[serde(default)]
    pub(crate) generation: u64,
    /// The cached resolutions.
    pub(crate) references: Vec<CachedResolution>,
    /// The name of the primary provider and the state that it saved for a restart.
    pub(crate) provider: Option<(String, String)>,
}

impl Metadata {
    pub(crate) fn of(snapshot: &Snapshot, resolutions: &Resolutions) -> Self {
        let provider = snapshot.providers.primary().and_then(|provider| {
            let saved = provider.retention()?.save()?;
            Some((provider.name().to_string(), saved))
        });
        let digest = format!("{:#}", snapshot.documents.digest());
        Self { digest, generation: snapshot.generation, references: resolutions.all(), provider }
    }
}

impl<'a> Generation<BTreeMap<&'a str, &'a str>> {
    pub(crate) fn of(snapshot: &'a Snapshot, metadata: Metadata, now: SystemTime) -> Self {
        Self {
            schema: SCHEMA,
            saved_at: now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            files: snapshot.documents.texts().collect(),
            metadata,
        }
    }
}

impl<F: Serialize> Generation<F> {
    /// Encodes the file: a first line with the SHA-256 of the rest, then JSON.
    pub(super) fn encode(&self) -> std::io::Result<Vec<u8>> {
        seal(self)
    }
}

/// Decodes a generation. Never panics, whatever the bytes.
///
/// # Errors
/// The reason for which the bytes are no generation.
pub(crate) fn decode(bytes: &[u8]) -> Result<Generation, String> {
    let body = unseal(bytes)?;
    let generation: Generation =
        serde_json::from_str(body).map_err(|e| format!("the content is invalid: {e}"))?;
    match generation.schema {
        SCHEMA => Ok(generation),
        other => Err(format!("the file has format version {other}; this gateway reads version {SCHEMA}")),
    }
}

impl fmt::Debug for Generation {
    /// Omits the files, which hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation")
            .field("files", &self.files.len())
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata")
            .field("digest", &self.digest)
            .field("references", &self.references.len())
            .finish_non_exhaustive()
    }
}
