//! The allowed signers, and the check of a commit's signature.

use git2::{Oid, Repository};
use provider_api::*;
use ssh_key::{PublicKey, SshSig};

/// The keys of the allowed signers.
#[derive(Debug)]
pub(crate) struct Signers(Vec<PublicKey>);

/// The namespace of signatures by git (PROTOCOL.sshsig). A signature of the same key for another purpose, such as a file
/// or an email, has another namespace and is refused.
const NAMESPACE: &str = "git";

impl Signers {
    /// Parses lines of an allowed-signers file.
    pub(crate) fn parse(lines: &[String]) -> Result<Self> {
        let key = |line: &String| {
            let (_, key) = line.trim().split_once(' ').ok_or("expected a principal and a key")?;
            let key = PublicKey::from_openssh(key.trim()).map_err(|error| error.to_string())?;
            if key.algorithm().is_ed25519() { Ok(key) } else { Err("expected an Ed25519 key".to_owned()) }
        };
        let keys = lines.iter().map(key).collect::<Result<Vec<_>, String>>();
        let keys = keys.map_err(|reason| Error::invalid(format!("invalid signer: {reason}")))?;
        let signers = (!keys.is_empty()).then_some(Self(keys));
        signers.ok_or_else(|| Error::invalid("expected at least one signer"))
    }

    /// Checks that an allowed key has signed a commit. The signature of a merge covers all merged commits.
    ///
    /// # Errors
    /// Unavailable, with the hash of the commit, when none has: an allowed signer can still sign.
    pub(crate) fn check(&self, repository: &Repository, commit: Oid) -> Result<()> {
        let refused = |reason: &str| Error::unavailable(format!("the commit {commit} is refused: {reason}"));
        let (text, signed) =
            repository.extract_signature(&commit, None).map_err(|_| refused("not signed"))?;
        let signature = std::str::from_utf8(&text).ok().and_then(|text| SshSig::from_pem(text).ok());
        let signature = signature.ok_or_else(|| refused("not an SSH signature"))?;
        let verifies = |key: &PublicKey| key.verify(NAMESPACE, &signed, &signature).is_ok();
        if self.0.iter().any(verifies) { Ok(()) } else { Err(refused("no allowed key has signed it")) }
    }
}
