use std::path::PathBuf;

use git2::{Commit, ObjectType, Oid, Repository, Sort};
use provider_api::*;

use crate::changes::{Changed, changed};
use crate::git::unavailable;
use crate::reports::Reports;
use crate::signers::Signers;

/// A branch, as far as it is signed.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) path: PathBuf,
    pub(crate) branch: String,
    pub(crate) team: String,
    pub(crate) after: Option<Oid>,
    pub(crate) signers: Signers,
    pub(crate) reports: Reports,
}

/// What a list was made of: while neither has moved, the list is the same.
pub(crate) type Moment = (Oid, usize);

impl Followed {
    pub(crate) fn open(&self) -> Result<Repository> {
        Repository::open(&self.path).map_err(unavailable("the repository cannot be opened"))
    }

    pub(crate) fn head<'r>(&self, repository: &'r Repository) -> Result<Commit<'r>> {
        let found = repository.find_reference(&self.branch).and_then(|branch| branch.peel_to_commit());
        found.map_err(unavailable("the branch cannot be read"))
    }

    /// What nobody has taken yet, oldest first, up to the first commit that is not signed. `None` when nothing has
    /// moved since `seen`.
    pub(crate) fn listing(&self, seen: Option<Moment>) -> Result<Option<(Moment, Vec<ChangeHead>)>> {
        let repository = self.open()?;
        let head = self.head(&repository)?.id();
        let (told, length) = self.reports.told()?;
        if seen == Some((head, length)) {
            return Ok(None);
        }
        let mut heads = Vec::new();
        let head_of = |new: Changed| ChangeHead { id: new.id, kind: new.kind, created_at: None };
        for commit in self.commits(&repository, head)? {
            let mut new = changed(&repository, commit, &self.team)?;
            new.retain(|changed| !told.contains_key(changed.id.as_str()));
            if new.is_empty() {
                continue;
            }
            match self.signers.check(&repository, commit) {
                Ok(()) => heads.extend(new.into_iter().map(head_of)),
                Err(refused) if heads.is_empty() => return Err(refused),
                // It is said when what came before it has been taken.
                Err(_) => break,
            }
        }
        Ok(Some(((head, length), heads)))
    }

    /// A change of the branch, from a commit that is signed.
    pub(crate) fn find(&self, repository: &Repository, id: &ChangeId) -> Result<Changed> {
        let unknown = || Error::not_found(format!("there is no change {id} on {}", self.branch));
        let hash = id.as_str().split('-').next().unwrap_or_default();
        let commit = Oid::from_str(hash).map_err(|_| unknown())?;
        repository.find_object(commit, Some(ObjectType::Commit)).map_err(|_| unknown())?;
        let head = self.head(repository)?.id();
        let within = head == commit || repository.graph_descendant_of(head, commit).unwrap_or(false);
        let all = if within { changed(repository, commit, &self.team)? } else { Vec::new() };
        let found = all.into_iter().find(|changed| changed.id == *id).ok_or_else(unknown)?;
        self.signers.check(repository, commit).map(|()| found)
    }

    /// The commits of the branch itself, oldest first: what was merged comes as its merge.
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
