use git2::{Oid, Repository};
use provider_api::*;
use ssh_key::{PublicKey, SshSig};

/// Whose commits are followed.
#[derive(Debug)]
pub(crate) struct Signers(Vec<PublicKey>);

/// What git signs for, so that no other signature of the same key is taken for one (PROTOCOL.sshsig).
const NAMESPACE: &str = "git";

impl Signers {
    /// Reads lines of an allowed-signers file.
    pub(crate) fn parse(lines: &[String]) -> Result<Self> {
        let key = |line: &String| {
            let (_, key) = line.trim().split_once(' ').ok_or("expected a principal and a key")?;
            let key = PublicKey::from_openssh(key.trim()).map_err(|error| error.to_string())?;
            if key.algorithm().is_ed25519() { Ok(key) } else { Err("expected an Ed25519 key".to_owned()) }
        };
        let keys = lines.iter().map(key).collect::<Result<Vec<_>, String>>();
        let keys = keys.map_err(|why| Error::invalid(format!("`allowed_signers` has a bad line: {why}")))?;
        match keys.is_empty() {
            true => Err(Error::invalid("`allowed_signers` is empty, so no commit would ever be followed")),
            false => Ok(Self(keys)),
        }
    }

    /// Whether a commit is signed by one of them. Whoever signs a merge answers for what it brings.
    ///
    /// # Errors
    /// Unavailable, with the commit, when it is not: nothing is known until somebody allowed has signed.
    pub(crate) fn check(&self, repository: &Repository, commit: Oid) -> Result<()> {
        let refused = |why: &str| Error::unavailable(format!("the commit {commit} is not followed: {why}"));
        let (signature, signed) =
            repository.extract_signature(&commit, None).map_err(|_| refused("it is not signed"))?;
        let signature = std::str::from_utf8(&signature).ok().and_then(|text| SshSig::from_pem(text).ok());
        let signature = signature.ok_or_else(|| refused("its signature is none of an SSH key"))?;
        let good = |key: &PublicKey| key.verify(NAMESPACE, &signed, &signature).is_ok();
        if self.0.iter().any(good) { Ok(()) } else { Err(refused("no allowed key has signed it")) }
    }
}
