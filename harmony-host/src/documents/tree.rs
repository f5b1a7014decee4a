//! The tree of configuration files.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provider_api::Secret;
use toml::de::DeTable;

use crate::config::{Fragment, GatewaySections};
use crate::diagnostics::sensitive::Sensitive;
use crate::diagnostics::source::{Place, Source};
use crate::documents::findings::Findings;
use crate::documents::secrecy::Secrecy;
use crate::storage::digest::Digest;

/// All files of a configuration as read at one moment. The tree is immutable: a new tree shares the unchanged files
/// with the old one.
pub(crate) struct Documents {
    config_path: PathBuf,
    pub(super) files: BTreeMap<String, Arc<Document>>,
    digest: Digest,
    /// Set for a saved configuration, of which it is not known which files were in the overlay.
    saved: bool,
    unreadable: Unreadable,
    pub(super) findings: Findings,
}

/// A file that cannot be read.
#[derive(Clone, Debug)]
pub(super) struct UnreadableFile {
    pub(super) reason: String,
    /// A digest of what is there.
    pub(super) there: Digest,
    /// Set if the tree has the served version instead, or does without the file.
    pub(super) isolated: bool,
}

/// The files that cannot be read, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Unreadable {
    pub(super) files: BTreeMap<String, UnreadableFile>,
    /// The directories that cannot be listed.
    pub(super) directories: BTreeMap<String, Digest>,
}

/// One file of the configuration.
#[derive(Debug)]
pub(crate) struct Document {
    /// The SHA-256 of the bytes.
    pub(crate) digest: Digest,
    /// The path of the file, if it is in the overlay.
    pub(crate) overlay: Option<Arc<Path>>,
    /// The content.
    pub(crate) content: Content,
    secrecy: Secrecy,
}

/// The content of a file.
#[derive(Debug)]
pub(crate) enum Content {
    /// config.toml, a pipeline or a mesh file, parsed.
    Toml(Box<Fragment>),
    /// A transform: JSON that this host stores and does not run.
    Transform(Arc<Source>),
    /// A certificate chain or a key, PEM.
    Pem(Secret),
}

impl Document {
    /// Returns the sections of the file, if it has any.
    pub(crate) fn fragment(&self) -> Option<&Fragment> {
        match &self.content {
            Content::Toml(fragment) => Some(fragment),
            Content::Transform(_) | Content::Pem(_) => None,
        }
    }

    pub(super) fn new(digest: Digest, overlay: Option<Arc<Path>>, content: Content) -> Self {
        Self { digest, overlay, content, secrecy: Secrecy::default() }
    }

    /// Returns whether the file holds a secret: a private key, or a value of a document.
    pub(super) fn is_secret(&self) -> bool {
        match &self.content {
            Content::Toml(fragment) => self.secrecy.of(&fragment.source),
            Content::Transform(source) => self.secrecy.of(source),
            Content::Pem(pem) => pem.expose().contains("PRIVATE KEY-----"),
        }
    }
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
    pub(super) fn new(
        config_path: PathBuf,
        files: BTreeMap<String, Arc<Document>>,
        saved: bool,
        unreadable: Unreadable,
        findings: Findings,
    ) -> Self {
        // A file that cannot be read is a part of what is on the disk, and not of a tree that does without it.
        let files_there = unreadable.files.iter().filter(|(_, file)| !file.isolated);
        let lost = files_there
            .map(|(name, file)| (name, &file.there))
            .chain(&unreadable.directories)
            .map(|(name, digest)| (format!("{name}\0unreadable"), *digest));
        let lost: Vec<(String, Digest)> = lost.collect();
        let read = files.iter().map(|(name, file)| (name.as_str(), file.digest));
        let digest = Digest::of_tree(read.chain(lost.iter().map(|(name, digest)| (name.as_str(), *digest))));
        Self { config_path, files, digest, saved, unreadable, findings }
    }

    /// Returns the reason for which the file `name` cannot be read.
    pub(crate) fn unreadable(&self, name: &str) -> Option<&str> {
        self.unreadable.files.get(name).map(|file| file.reason.as_str())
    }

    /// Returns whether every file of the tree is what was on the disk when it was read, and every file of the disk is in it.
    pub(crate) fn is_of_disk(&self) -> bool {
        let Unreadable { files, directories } = &self.unreadable;
        !self.saved && files.is_empty() && directories.is_empty()
    }

    /// Returns whether the tree has a served version instead of a file that cannot be read, or does without it.
    pub(crate) fn has_isolated(&self) -> bool {
        self.unreadable.files.values().any(|file| file.isolated)
    }

    /// Returns the files that cannot be read and that the tree does without, with the reasons.
    pub(crate) fn isolated(&self) -> impl Iterator<Item = (&str, &str)> {
        let isolated = self.unreadable.files.iter().filter(|(_, file)| file.isolated);
        isolated.map(|(name, file)| (name.as_str(), file.reason.as_str()))
    }

    /// Returns whether the file `name` was read from the overlay, or may have been.
    pub(crate) fn may_be_overlaid(&self, name: &str) -> bool {
        self.saved || self.overlay(name).is_some()
    }

    /// Returns the path of the file `name`, if it was read from the overlay.
    pub(crate) fn overlay(&self, name: &str) -> Option<&Path> {
        self.files.get(name)?.overlay.as_deref()
    }

    /// Returns the path of config.toml.
    pub(crate) fn config_path(&self) -> &Path {
        &self.config_path
    }

    /// Returns the digest of all names and contents.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the sections that are only read from config.toml; `None` if they cannot be read.
    pub(crate) fn gateway(&self) -> Option<&GatewaySections> {
        let name = self.config_path.file_name()?.to_str()?;
        self.files.get(name)?.fragment()?.gateway.as_deref()
    }

    /// Returns the parsed files that are more than definitions without a problem, sorted by name.
    pub(crate) fn remarkable(&self) -> impl Iterator<Item = &Fragment> {
        self.findings.remarkable.iter().filter_map(|name| self.files.get(name)?.fragment())
    }

    /// Returns all parsed files: config.toml first, then the others sorted by name.
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

    /// Returns the files that differ from those of `before`, which shares the others with this tree.
    pub(crate) fn changed_since<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (Option<&'a Document>, Option<&'a Document>)> {
        self.changed_files(before).map(|(_, old, new)| (old, new))
    }

    /// Returns the files that differ from those of `before`, with their names. Files that both do not share may be the same.
    pub(crate) fn changed_files<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (&'a str, Option<&'a Document>, Option<&'a Document>)> {
        let (mut old, mut new) = (before.files.iter().peekable(), self.files.iter().peekable());
        let mut next = move || {
            let order = match (old.peek(), new.peek()) {
                // Faster than a look at the names.
                (Some((_, old)), Some((_, new))) if Arc::ptr_eq(old, new) => Ordering::Equal,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return None,
            };
            let old = old.next_if(|_| order.is_le());
            let new = new.next_if(|_| order.is_ge());
            let name = old.or(new).map_or("", |(name, _)| name.as_str());
            Some((name, old.map(|(_, file)| file), new.map(|(_, file)| file)))
        };
        let is_same = |old: Option<&Arc<Document>>, new: Option<&Arc<Document>>| {
            old.zip(new).is_some_and(|(old, new)| Arc::ptr_eq(old, new))
        };
        std::iter::from_fn(move || {
            loop {
                let (name, old, new) = next()?;
                if !is_same(old, new) {
                    return Some((name, old.map(|file| &**file), new.map(|file| &**file)));
                }
            }
        })
    }

    /// Returns whether a certificate or key is the same as in `before`.
    pub(crate) fn has_same_pem(&self, path: &str, before: &Self) -> bool {
        let files = self.files.get(path).zip(before.files.get(path));
        files.is_some_and(|(new, old)| Arc::ptr_eq(new, old))
    }

    /// Returns a certificate or key, by its path as the configuration has it.
    pub(crate) fn pem(&self, path: &str) -> Option<&Secret> {
        match &self.files.get(path)?.content {
            Content::Pem(pem) => Some(pem),
            _ => None,
        }
    }

    /// Returns the SHA-256 of the file `name`.
    pub(crate) fn digest_of(&self, name: &str) -> Option<Digest> {
        self.files.get(name).map(|file| file.digest)
    }

    /// Returns the text of the file `name`, unless it is a key or certificate.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match &self.files.get(name)?.content {
            Content::Toml(fragment) => Some(fragment.source.text()),
            Content::Transform(source) => Some(source.text()),
            Content::Pem(_) => None,
        }
    }

    /// Returns the decision which values of the files are secret.
    pub(crate) fn sensitive(&self) -> Arc<Sensitive> {
        let first = self.files.values().find_map(|file| file.fragment());
        first.map(|fragment| fragment.source.sensitive()).unwrap_or_default()
    }

    /// Returns the TOML file `name`.
    pub(crate) fn source(&self, name: &str) -> Option<&Arc<Source>> {
        match &self.files.get(name)?.content {
            Content::Toml(fragment) => Some(&fragment.source),
            _ => None,
        }
    }

    /// Returns the name and text of every file, including keys.
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

    /// Returns the name (without extension) and text of every transform.
    pub(crate) fn transforms(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, file)| match &file.content {
            Content::Transform(source) => {
                let name = path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name);
                Some((name.strip_suffix(".json").unwrap_or(name), source.text()))
            }
            _ => None,
        })
    }

    /// Returns the place of a dotted `key`, such as `mesh.imaging.jwt_secret`, in the first file that sets it. If no file
    /// sets the key, the place is that of its table.
    pub(crate) fn place_of(&self, key: &str) -> Option<Place> {
        let places = self.fragments().filter_map(|fragment| place_in(&fragment.source, key));
        places.max_by_key(|(depth, _)| *depth).map(|(_, place)| place)
    }

    /// Returns the files, sorted by name.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Document)> {
        self.files.iter().map(|(name, document)| (name.as_str(), &**document))
    }

    /// Returns the name and digest of every file.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, Digest)> {
        self.files.iter().map(|(name, file)| (name.as_str(), file.digest))
    }
}

/// Finds the deepest part of `key` that a file sets. Returns the number of parts found and the place of the last one.
fn place_in(source: &Arc<Source>, key: &str) -> Option<(usize, Place)> {
    let (document, _) = DeTable::parse_recoverable(source.toml());
    let (mut table, mut found) = (document.get_ref(), None);
    for (depth, name) in key.split('.').enumerate() {
        let Some((written, value)) = table.get_key_value(name) else { break };
        let inner = value.get_ref().as_table();
        // A table is marked at its name, because its span covers many lines; a value is marked itself.
        let span = if inner.is_some() { written.span() } else { value.span() };
        // The first part, such as `mesh`, is in many files, so it alone is no match.
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
            "a key that is not set has the place of its table"
        );
        assert_eq!(line("mesh.b"), None);
    }
}
