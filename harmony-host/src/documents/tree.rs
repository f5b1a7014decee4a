//! The tree of files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provider_api::Secret;
use toml::de::DeTable;

use crate::config::Fragment;
use crate::diagnostics::source::{Place, Source};
use crate::storage::digest::Digest;

/// All files of a configuration as they were at one moment. Never changed: a new tree shares with the old
/// one every file whose bytes are the same.
pub(crate) struct Documents {
    config_path: PathBuf,
    pub(super) files: BTreeMap<String, Arc<Document>>,
    digest: Digest,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Document {
    /// The SHA-256 of its bytes.
    pub(crate) digest: Digest,
    /// What is in it.
    pub(crate) content: Content,
}

/// What is in a file.
#[derive(Debug)]
pub(crate) enum Content {
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
    pub(super) fn new(config_path: PathBuf, files: BTreeMap<String, Arc<Document>>) -> Self {
        let digest = Digest::of_tree(files.iter().map(|(name, file)| (name.as_str(), file.digest)));
        Self { config_path, files, digest }
    }

    /// The path of config.toml.
    pub(crate) fn config_path(&self) -> &Path {
        &self.config_path
    }

    /// The digest of all names and contents.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Every parsed file, config.toml first, the others in the order of their names.
    pub(crate) fn fragments(&self) -> impl Iterator<Item = &Fragment> {
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
    pub(crate) fn pem(&self, path: &str) -> Option<&Secret> {
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

    /// The place of `key`, dotted from the top of a file: `mesh.imaging.jwt_secret`. The first file that writes it
    /// counts; where only its table is written, the place is that of the table.
    pub(crate) fn place_of(&self, key: &str) -> Option<Place> {
        let places = self.fragments().filter_map(|fragment| place_in(&fragment.source, key));
        places.max_by_key(|(depth, _)| *depth).map(|(_, place)| place)
    }

    /// The files by name, in the order of their names.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Document)> {
        self.files.iter().map(|(name, document)| (name.as_str(), &**document))
    }

    /// The names of the files, and the digest of each.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, Digest)> {
        self.files.iter().map(|(name, file)| (name.as_str(), file.digest))
    }
}

/// The deepest part of `key` that a file writes: how many of its names were found, and the place of the last.
fn place_in(source: &Arc<Source>, key: &str) -> Option<(usize, Place)> {
    let (document, _) = DeTable::parse_recoverable(source.text());
    let (mut table, mut found) = (document.get_ref(), None);
    for (depth, name) in key.split('.').enumerate() {
        let Some((written, value)) = table.get_key_value(name) else { break };
        let inner = value.get_ref().as_table();
        // A table is shown by its name, a value by itself.
        let span = if inner.is_some() { written.span() } else { value.span() };
        // The first name is of a kind of section, which many files have.
        if depth > 0 {
            found = Some((depth, Place::new(source, span)));
        }
        let Some(inner) = inner else { break };
        table = inner;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_places() {
        let text = "[mesh.a]\nprovider = \"local\"\njwt_secret = \"s\"\n";
        let source = Source::new("mesh/a.toml", text);
        let line = |key: &str| place_in(&source, key).map(|(_, place)| place.line());
        assert_eq!(line("mesh.a.jwt_secret"), Some(3));
        assert_eq!(
            line("mesh.a.jwt_public_key_path"),
            Some(1),
            "the table stands for a key that is not written"
        );
        assert_eq!(line("mesh.b"), None);
    }
}
