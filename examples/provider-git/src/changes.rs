use git2::{Delta, DiffOptions, ObjectType, Oid, Repository};
use provider_api::*;

use crate::git::unavailable;

/// A file that a commit has put there.
pub(crate) struct Changed {
    pub(crate) id: ChangeId,
    pub(crate) kind: DocumentKind,
    /// The file's name without directory and ending.
    stem: String,
    blob: Oid,
}

/// The largest file that is a change.
const LIMIT: usize = 4 * 1024 * 1024;

/// What a commit put into the directory `team`, in the order in which one thing needs another. What it removed is no
/// change: a gateway is told what to be, not what to forget.
pub(crate) fn changed(repository: &Repository, commit: Oid, team: &str) -> Result<Vec<Changed>> {
    let read = || {
        let commit = repository.find_commit(commit)?;
        let before = commit.parents().next().map(|parent| parent.tree()).transpose()?;
        let mut options = DiffOptions::new();
        options.pathspec(format!("{team}/")).disable_pathspec_match(true);
        let after = commit.tree()?;
        let diff = repository.diff_tree_to_tree(before.as_ref(), Some(&after), Some(&mut options))?;
        let mut all = Vec::new();
        for delta in diff.deltas().filter(|delta| delta.status() != Delta::Deleted) {
            let path = delta.new_file().path().and_then(|path| path.strip_prefix(team).ok()?.to_str());
            let Some((path, (kind, order))) = path.and_then(|path| Some((path, kind(path)?))) else {
                continue;
            };
            let file = Oid::hash_object(ObjectType::Blob, path.as_bytes())?.to_string();
            let Some(id) = ChangeId::new(format!("{}-{}", commit.id(), &file[..16])) else { continue };
            let name = path.rsplit('/').next().unwrap_or(path);
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
            let change = Changed { id, kind, stem, blob: delta.new_file().id() };
            all.push((order, path.to_owned(), change));
        }
        all.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        Ok(all.into_iter().map(|(_, _, change)| change).collect())
    };
    read().map_err(unavailable::<git2::Error>("a commit cannot be read"))
}

/// What a file is, and when its turn is among those of one commit.
fn kind(path: &str) -> Option<(DocumentKind, u8)> {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["config.toml"] => Some((DocumentKind::Gateway, 0)),
        ["transforms", name] if name.ends_with(".json") => Some((DocumentKind::Transform, 1)),
        ["pipelines", name] if name.ends_with(".toml") => Some((DocumentKind::Pipeline, 2)),
        ["mesh", name] if name.ends_with(".toml") => Some((DocumentKind::Mesh, 3)),
        _ => None,
    }
}

impl Changed {
    /// The file with the change around it. A transform is JSON in the repository and TOML on its way.
    pub(crate) fn read(self, repository: &Repository) -> Result<Change> {
        let blob = repository.find_blob(self.blob).map_err(unavailable("a file cannot be read"))?;
        if blob.size() > LIMIT {
            return Err(Error::invalid(format!("the change {} is larger than 4 MiB", self.id)));
        }
        let no_text = |_| Error::invalid(format!("the change {} is no text", self.id));
        let text = std::str::from_utf8(blob.content()).map_err(no_text)?;
        let document = match self.kind {
            DocumentKind::Transform => {
                let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
                format!("[transform.{}]\ninstructions = {}\n", quoted(&self.stem), quoted(text))
            }
            _ => text.to_owned(),
        };
        Ok(Change { id: self.id, kind: self.kind, document, attachments: Vec::new() })
    }
}
