//! The files that a commit adds or modifies, as changes.

use git2::{Delta, DiffOptions, ObjectType, Oid, Repository};
use provider_api::*;

use crate::provider::unavailable;

/// A file that a commit adds or modifies.
pub(crate) struct ChangedFile {
    pub(crate) id: ChangeId,
    pub(crate) kind: DocumentKind,
    /// The path below the directory of the team.
    path: String,
    blob: Oid,
}

/// The maximum size of a change in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Returns the files that a commit adds or modifies in the directory `team`, dependencies first. Ignores removed
/// files: no change of the contract deletes a file.
pub(crate) fn changed_files(repository: &Repository, commit: Oid, team: &str) -> Result<Vec<ChangedFile>> {
    let read = || {
        let commit = repository.find_commit(commit)?;
        // The first parent of a merge is the branch itself, so that the merge contains all merged commits.
        let before = commit.parents().next().map(|parent| parent.tree()).transpose()?;
        let mut options = DiffOptions::new();
        options.pathspec(format!("{team}/")).disable_pathspec_match(true);
        let diff =
            repository.diff_tree_to_tree(before.as_ref(), Some(&commit.tree()?), Some(&mut options))?;
        let mut files = Vec::new();
        for delta in diff.deltas().filter(|delta| delta.status() != Delta::Deleted) {
            let path = delta.new_file().path().and_then(|path| path.strip_prefix(team).ok()?.to_str());
            let Some(path) = path else { continue };
            let Some((kind, order)) = kind_and_order(path) else { continue };
            // A hash in place of the path: an id has at most 64 characters, and no slashes or dots.
            let path_hash = Oid::hash_object(ObjectType::Blob, path.as_bytes())?.to_string();
            let Some(id) = ChangeId::new(format!("{}-{}", commit.id(), &path_hash[..16])) else { continue };
            files.push((order, ChangedFile { id, kind, path: path.to_owned(), blob: delta.new_file().id() }));
        }
        files.sort_by(|(a, file), (b, other)| (a, &file.path).cmp(&(b, &other.path)));
        Ok(files.into_iter().map(|(_, file)| file).collect())
    };
    read().map_err(unavailable::<git2::Error>("a commit cannot be read"))
}

/// Returns the kind of a file and its position within a commit: a pipeline depends on networks and transforms, and a
/// mesh on pipelines.
fn kind_and_order(path: &str) -> Option<(DocumentKind, u8)> {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["config.toml"] => Some((DocumentKind::Gateway, 0)),
        ["transforms", name] if name.ends_with(".json") => Some((DocumentKind::Transform, 1)),
        ["pipelines", name] if name.ends_with(".toml") => Some((DocumentKind::Pipeline, 2)),
        ["mesh", name] if name.ends_with(".toml") => Some((DocumentKind::Mesh, 3)),
        _ => None,
    }
}

impl ChangedFile {
    /// Reads the file as a change. A transform is JSON in the repository, and a TOML document in a change.
    pub(crate) fn read(self, repository: &Repository) -> Result<Change> {
        let blob = repository.find_blob(self.blob).map_err(unavailable("a file cannot be read"))?;
        if blob.size() > MAX_BYTES {
            return Err(Error::invalid(format!("the change {} is larger than 4 MiB", self.id)));
        }
        let not_utf8 = |_| Error::invalid(format!("the change {} is not UTF-8 text", self.id));
        let text = std::str::from_utf8(blob.content()).map_err(not_utf8)?;
        let document = match self.kind {
            DocumentKind::Transform => {
                let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
                let name = self.path.rsplit('/').next().unwrap_or_default();
                let name = name.strip_suffix(".json").unwrap_or(name);
                format!("[transform.{}]\ninstructions = {}\n", quoted(name), quoted(text))
            }
            _ => text.to_owned(),
        };
        Ok(Change { id: self.id, kind: self.kind, document, attachments: Vec::new() })
    }
}
