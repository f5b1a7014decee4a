//! The branch: its commits, as far as allowed keys have signed them.

use std::path::PathBuf;

use git2::{Commit, Oid, Repository, Sort};
use provider_api::*;

use crate::changed_file::{ChangedFile, changed_files};
use crate::provider::unavailable;
use crate::signers::Signers;
use crate::status_log::StatusLog;

/// A branch of a repository. Only commits with an allowed signature count.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) repository: PathBuf,
    /// The full name, such as `refs/heads/main`.
    pub(crate) name: String,
    pub(crate) team: String,
    pub(crate) after: Option<Oid>,
    pub(crate) signers: Signers,
    pub(crate) status_log: StatusLog,
}

/// The revision of the pending list: the head of the branch and the length of the status log. The list depends on
/// nothing else.
pub(crate) type Revision = (Oid, usize);

impl Branch {
    pub(crate) fn open(&self) -> Result<Repository> {
        Repository::open(&self.repository).map_err(unavailable("the repository cannot be opened"))
    }

    pub(crate) fn head<'r>(&self, repository: &'r Repository) -> Result<Commit<'r>> {
        let head = repository.find_reference(&self.name).and_then(|branch| branch.peel_to_commit());
        head.map_err(unavailable("the branch cannot be read"))
    }

    /// Returns the changes without a status, oldest first, up to the first commit without an allowed signature. Returns
    /// `None` when the revision is still `listed`.
    pub(crate) fn pending(&self, listed: Option<Revision>) -> Result<Option<(Revision, Vec<ChangeHead>)>> {
        let repository = self.open()?;
        let head = self.head(&repository)?.id();
        let (statuses, length) = self.status_log.read()?;
        if listed == Some((head, length)) {
            return Ok(None);
        }
        let mut heads = Vec::new();
        let head_of = |file: ChangedFile| ChangeHead { id: file.id, kind: file.kind, created_at: None };
        for commit in self.commits(&repository, head)? {
            let mut files = changed_files(&repository, commit, &self.team)?;
            files.retain(|file| !statuses.contains_key(file.id.as_str()));
            if files.is_empty() {
                continue;
            }
            match self.signers.check(&repository, commit) {
                Ok(()) => heads.extend(files.into_iter().map(head_of)),
                Err(refused) if heads.is_empty() => return Err(refused),
                // The gateway receives the signed changes first. The list after them is then this error.
                Err(_) => break,
            }
        }
        Ok(Some(((head, length), heads)))
    }

    /// Returns a change by its id. Its commit must still be on the branch: a forced push can have removed it.
    pub(crate) fn find(&self, repository: &Repository, id: &ChangeId) -> Result<ChangedFile> {
        let unknown = || Error::not_found(format!("the change {id} is not on {}", self.name));
        let hash = id.as_str().split('-').next().unwrap_or_default();
        let commit = Oid::from_str(hash).map_err(|_| unknown())?;
        let head = self.head(repository)?.id();
        let on_branch = head == commit || repository.graph_descendant_of(head, commit).unwrap_or(false);
        let files = if on_branch { changed_files(repository, commit, &self.team)? } else { Vec::new() };
        let found = files.into_iter().find(|file| file.id == *id).ok_or_else(unknown)?;
        self.signers.check(repository, commit).map(|()| found)
    }

    /// Returns the commits of the branch, oldest first. A merge stands for the commits that it merges.
    fn commits(&self, repository: &Repository, head: Oid) -> Result<Vec<Oid>> {
        let walk = || {
            let mut walk = repository.revwalk()?;
            walk.push(head)?;
            walk.simplify_first_parent()?;
            walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
            self.after.map_or(Ok(()), |after| walk.hide(after))?;
            walk.collect::<Result<Vec<_>, git2::Error>>()
        };
        walk().map_err(unavailable("the history cannot be read"))
    }
}
