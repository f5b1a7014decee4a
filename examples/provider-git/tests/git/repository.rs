use std::path::{Path, PathBuf};
use std::sync::Mutex;

use git2::{Repository, Signature};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use tempfile::TempDir;

/// A repository with one branch, and the key of somebody who may write to it.
pub(crate) struct TestRepository {
    root: TempDir,
    name: &'static str,
    pub(crate) key: PrivateKey,
    /// One commit after the other.
    writing: Mutex<i64>,
}

/// A key that is always the same.
pub(crate) fn key(seed: u8) -> PrivateKey {
    Ed25519Keypair::from_seed(&[seed; 32]).into()
}

impl TestRepository {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        Repository::init_bare(root.path().join("repository")).unwrap();
        let repository = Self::around(root, "repository");
        repository.commit("README", "the first", Some(&repository.key));
        repository
    }

    /// One that is there already, as `name` below `root`.
    pub(crate) fn around(root: TempDir, name: &'static str) -> Self {
        Self { root, name, key: key(1), writing: Mutex::new(1_700_000_000) }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.root().join(self.name)
    }

    pub(crate) fn away(&self) -> PathBuf {
        self.root().join("away")
    }

    /// The line of an allowed-signers file.
    pub(crate) fn allowed(&self) -> String {
        format!("someone@example.com {}", self.key.public_key().to_openssh().unwrap())
    }

    /// Puts a file there, in a commit that `key` signs. The commit's hash.
    pub(crate) fn commit(&self, path: &str, text: &str, key: Option<&PrivateKey>) -> String {
        let mut time = self.writing.lock().unwrap();
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
