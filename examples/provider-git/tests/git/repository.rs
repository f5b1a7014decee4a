//! A repository for tests, with signed and unsigned commits.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use git2::{Repository, Signature};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use tempfile::TempDir;

/// A repository with one branch, and the key of an allowed signer.
pub(crate) struct TestRepository {
    root: TempDir,
    name: &'static str,
    pub(crate) key: PrivateKey,
    /// The time of the last commit. Also serializes commits, since two at the same time would have the same parent.
    last_commit: Mutex<i64>,
}

/// Returns the key of a seed, always the same.
pub(crate) fn key(seed: u8) -> PrivateKey {
    Ed25519Keypair::from_seed(&[seed; 32]).into()
}

impl TestRepository {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        Repository::init_bare(root.path().join("repository")).unwrap();
        let repository = Self::existing(root, "repository");
        repository.commit("README", "first", Some(&repository.key));
        repository
    }

    /// Wraps the existing repository `name` in the directory `root`.
    pub(crate) fn existing(root: TempDir, name: &'static str) -> Self {
        Self { root, name, key: key(1), last_commit: Mutex::new(1_700_000_000) }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root().join(self.name)
    }

    /// Returns the path to which a test moves the repository, so that a provider cannot reach it.
    pub(crate) fn hidden_path(&self) -> PathBuf {
        self.root().join("hidden")
    }

    /// Returns the line of an allowed-signers file for the key.
    pub(crate) fn allowed(&self) -> String {
        format!("someone@example.com {}", self.key.public_key().to_openssh().unwrap())
    }

    /// Commits a file, signed with `key`. Returns the hash of the commit.
    pub(crate) fn commit(&self, path: &str, text: &str, key: Option<&PrivateKey>) -> String {
        let mut time = self.last_commit.lock().unwrap();
        *time += 1;
        let repository = Repository::open(self.path()).unwrap();
        let head =
            repository.find_reference("refs/heads/main").ok().map(|head| head.peel_to_commit().unwrap());
        let mut index = git2::Index::new().unwrap();
        if let Some(head) = &head {
            index.read_tree(&head.tree().unwrap()).unwrap();
        }
        index.add(&entry(path, repository.blob(text.as_bytes()).unwrap())).unwrap();
        let tree = repository.find_tree(index.write_tree_to(&repository).unwrap()).unwrap();
        let author = Signature::new("Someone", "someone@example.com", &git2::Time::new(*time, 0)).unwrap();
        let parents: Vec<&git2::Commit<'_>> = head.iter().collect();
        let commit = repository.commit_create_buffer(&author, &author, "a change", &tree, &parents).unwrap();
        let commit = std::str::from_utf8(&commit).unwrap();
        let signature = key.map(|key| {
            let signature = key.sign("git", HashAlg::Sha512, commit.as_bytes()).unwrap();
            signature.to_pem(LineEnding::LF).unwrap()
        });
        let id = match signature {
            Some(signature) => repository.commit_signed(commit, &signature, None).unwrap(),
            None => repository.odb().unwrap().write(git2::ObjectType::Commit, commit.as_bytes()).unwrap(),
        };
        repository.reference("refs/heads/main", id, true, "a change").unwrap();
        id.to_string()
    }
}

fn entry(path: &str, id: git2::Oid) -> git2::IndexEntry {
    let time = git2::IndexTime::new(0, 0);
    git2::IndexEntry {
        ctime: time,
        mtime: time,
        dev: 0,
        ino: 0,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.into(),
    }
}
