//! The configuration files as one immutable tree.

mod load;
mod read;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provider_api::Secret;

use crate::config::Fragment;
use crate::digest::Digest;
use crate::source::Source;

pub use load::{Loaded, Touched};
pub(crate) use read::MAX_FILE_BYTES;

/// All files of a configuration as they were at one moment. Never changed: a new tree shares with the old
/// one every file whose bytes are the same.
pub struct Documents {
    config_path: PathBuf,
    files: BTreeMap<String, Arc<Document>>,
    digest: Digest,
}

/// One file.
#[derive(Debug)]
pub struct Document {
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// What is in it.
    pub content: Content,
}

/// What is in a file.
#[derive(Debug)]
pub enum Content {
    /// config.toml, a pipeline or a mesh file, parsed.
    Toml(Box<Fragment>),
    /// A transform: JSON that this host keeps and does not run.
    Transform(Arc<Source>),
    /// A certificate chain or a key, PEM.
    Pem(Secret),
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents")
            .field("files", &self.files.len())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Documents {
    fn new(config_path: PathBuf, files: BTreeMap<String, Arc<Document>>) -> Self {
        let digest = Digest::of_tree(files.iter().map(|(name, file)| (name.as_str(), file.digest)));
        Self { config_path, files, digest }
    }

    /// The path of config.toml.
    pub fn config_path(&self) -> &Path {
        &self.config_path
    }

    /// The digest of all names and contents.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Every parsed file, config.toml first, the others in the order of their names.
    pub fn fragments(&self) -> impl Iterator<Item = &Fragment> {
        let rank = |fragment: &&Fragment| fragment.gateway.is_none();
        let mut all: Vec<&Fragment> = self
            .files
            .values()
            .filter_map(|file| match &file.content {
                Content::Toml(fragment) => Some(&**fragment),
                _ => None,
            })
            .collect();
        all.sort_by_key(rank);
        all.into_iter()
    }

    /// A certificate or key file by its path as the configuration writes it.
    pub fn pem(&self, path: &str) -> Option<&Secret> {
        match &self.files.get(path)?.content {
            Content::Pem(pem) => Some(pem),
            _ => None,
        }
    }

    /// The text of the file `name`, unless it is a key or certificate.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match &self.files.get(name)?.content {
            Content::Toml(fragment) => Some(fragment.source.text()),
            Content::Transform(source) => Some(source.text()),
            Content::Pem(_) => None,
        }
    }

    /// Every file: its name and its text, of keys too.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, file)| {
            let text = match &file.content {
                Content::Toml(fragment) => fragment.source.text(),
                Content::Transform(source) => source.text(),
                Content::Pem(pem) => pem.expose(),
            };
            (name.as_str(), text)
        })
    }

    /// The transforms: the name of each without its ending, and its text.
    pub(crate) fn transforms(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, file)| match &file.content {
            Content::Transform(source) => {
                let name = path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name);
                Some((name.strip_suffix(".json").unwrap_or(name), source.text()))
            }
            _ => None,
        })
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The names of the files, and the digest of each.
    pub fn files(&self) -> impl Iterator<Item = (&str, Digest)> {
        self.files.iter().map(|(name, file)| (name.as_str(), file.digest))
    }
}
