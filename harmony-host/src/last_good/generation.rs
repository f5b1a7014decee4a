use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::providers::resolutions::{Learned, Resolutions};
use crate::snapshot::Snapshot;
use crate::storage::digest::Digest;

/// The version of the form. One of another version is no generation here, it is never guessed at.
const SCHEMA: u32 = 1;

/// A configuration that was served, with what was learned while it was. Each kind of data has an age of its own:
/// files have none; where references led is used for at most
/// [`LONGEST_STALE`](crate::providers::resolutions::LONGEST_STALE), and what a provider hands over it judges itself. Mesh tokens and
/// the machine token are not in it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Generation {
    schema: u32,
    /// When it was written down, in seconds since 1970.
    kept_at: u64,
    /// The files by name, keys and certificates included.
    pub(crate) files: BTreeMap<String, String>,
    #[serde(flatten)]
    pub(crate) marks: Marks,
}

/// What tells one generation from another.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marks {
    /// The digest of the files.
    pub(crate) digest: String,
    /// Where references led.
    pub(crate) references: Vec<Learned>,
    /// What the primary provider wants to find again, with its name.
    pub(crate) provider: Option<(String, String)>,
}

impl Marks {
    pub(crate) fn of(snapshot: &Snapshot, resolutions: &Resolutions) -> Self {
        let provider = snapshot.providers.primary().and_then(|provider| {
            let kept = provider.retention()?.save()?;
            Some((provider.name().to_string(), kept))
        });
        let digest = format!("{:#}", snapshot.documents.digest());
        Self { digest, references: resolutions.all(), provider }
    }
}

impl Generation {
    pub(crate) fn of(snapshot: &Snapshot, marks: Marks, now: SystemTime) -> Self {
        Self {
            schema: SCHEMA,
            kept_at: now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            files: snapshot
                .documents
                .texts()
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .collect(),
            marks,
        }
    }

    /// The bytes of the file: its first line is the SHA-256 of the rest.
    pub(super) fn encode(&self) -> std::io::Result<Vec<u8>> {
        let body = serde_json::to_string(self).map_err(std::io::Error::other)?;
        Ok(format!("{:#}\n{body}\n", Digest::of(body.as_bytes())).into_bytes())
    }
}

/// Reads a generation. Never panics, whatever the bytes.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn decode(bytes: &[u8]) -> Result<Generation, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    let (seal, body) = text.split_once('\n').ok_or("it has no seal")?;
    let body = body.strip_suffix('\n').ok_or("its end is missing")?;
    if format!("{:#}", Digest::of(body.as_bytes())) != seal {
        return Err("its seal does not fit".to_owned());
    }
    let generation: Generation =
        serde_json::from_str(body).map_err(|e| format!("it cannot be understood: {e}"))?;
    match generation.schema {
        SCHEMA => Ok(generation),
        other => Err(format!("it has the form {other}, and this gateway knows the form {SCHEMA}")),
    }
}

impl fmt::Debug for Generation {
    /// Without the files, which hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation")
            .field("files", &self.files.len())
            .field("marks", &self.marks)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks")
            .field("digest", &self.digest)
            .field("references", &self.references.len())
            .finish_non_exhaustive()
    }
}
