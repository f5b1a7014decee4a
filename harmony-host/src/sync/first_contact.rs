//! The record of when this state was first used with a control plane, and if its token was older.
//!
//! A control plane hands a change to one gateway, once. A gateway whose state is new while its token is not cannot know
//! what was acknowledged with that token before: the changes it never saw are not in the list any more.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use provider_api::CredentialDetails;
use serde::{Deserialize, Serialize};

use crate::storage::{atomic_file, io_error};

/// The age at its first use from which a token counts as older than the state.
const NEW: Duration = Duration::from_secs(3600);

/// The first contact with one gateway id at one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FirstContact {
    /// Seconds since 1970.
    pub(super) at: u64,
    /// Set while it is not known what was acknowledged before.
    #[serde(default)]
    pub(super) unknown: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    gateways: BTreeMap<String, FirstContact>,
}

/// The file of the record. The methods do blocking I/O.
#[derive(Clone, Debug)]
pub(super) struct FirstContacts {
    file: PathBuf,
}

impl FirstContacts {
    pub(super) fn new(journal: &Path) -> Self {
        Self { file: journal.with_file_name("first-contact.json") }
    }

    /// Records that this state is new, before anything else is written to it. A state of an earlier version has a journal
    /// and no record; what it followed is known.
    pub(super) fn mark_new(&self) -> io::Result<()> {
        match self.file.exists() {
            true => Ok(()),
            false => self.write(&Record::default()),
        }
    }

    /// Returns the first contact of `key`, which is now if there is none yet.
    pub(super) fn heard(
        &self,
        key: &str,
        details: &CredentialDetails,
        now: SystemTime,
    ) -> io::Result<FirstContact> {
        let record = self.read()?;
        let is_earlier_version = record.is_none();
        let mut record = record.unwrap_or_default();
        if let Some(known) = record.gateways.get(key) {
            return Ok(*known);
        }
        let contact = FirstContact {
            at: seconds(now),
            unknown: !is_earlier_version && !is_new(details.issued_at, now),
        };
        record.gateways.insert(key.to_owned(), contact);
        self.write(&record)?;
        Ok(contact)
    }

    /// Records that the operator accepts what is not known.
    pub(super) fn accept(&self, key: &str, now: SystemTime) -> io::Result<FirstContact> {
        let mut record = self.read()?.unwrap_or_default();
        let contact = record
            .gateways
            .entry(key.to_owned())
            .or_insert(FirstContact { at: seconds(now), unknown: false });
        contact.unknown = false;
        let contact = *contact;
        self.write(&record)?;
        Ok(contact)
    }

    fn read(&self) -> io::Result<Option<Record>> {
        match std::fs::read(&self.file) {
            // A damaged record proves nothing: the state counts as new.
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).unwrap_or_default())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error::at(&self.file)(error)),
        }
    }

    fn write(&self, record: &Record) -> io::Result<()> {
        if let Some(directory) = self.file.parent() {
            atomic_file::make_directory(directory, 0o700).map_err(io_error::at(directory))?;
        }
        atomic_file::write(&self.file, &serde_json::to_vec(record)?, 0o600).map_err(io_error::at(&self.file))
    }
}

/// Returns whether a token was issued about now. An unknown time of issue is not.
fn is_new(issued_at: Option<SystemTime>, now: SystemTime) -> bool {
    issued_at.is_some_and(|issued| match now.duration_since(issued) {
        Ok(age) => age < NEW,
        // The clocks of the two machines differ a little; a token from the far future has another lifetime than the usual.
        Err(ahead) => ahead.duration() < NEW,
    })
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(at: Option<u64>) -> CredentialDetails {
        let issued_at = at.map(|at| SystemTime::UNIX_EPOCH + Duration::from_secs(at));
        CredentialDetails { issued_at, ..CredentialDetails::default() }
    }

    #[test]
    fn new_state_with_an_older_token_is_unknown_until_accepted() {
        let directory = tempfile::tempdir().unwrap();
        let contacts = FirstContacts::new(&directory.path().join("harmony/journal"));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        contacts.mark_new().unwrap();
        for (key, token, unknown) in [
            ("new", Some(999_990), false),
            ("ahead", Some(1_000_060), false),
            ("old", Some(900_000), true),
            ("future", Some(2_000_000), true),
            ("bare", None, true),
        ] {
            let heard = contacts.heard(key, &issued(token), now).unwrap();
            assert_eq!(heard.unknown, unknown, "{key}");
            let later = contacts.heard(key, &issued(Some(1_000_000)), now).unwrap();
            assert_eq!(later, heard, "{key}: a later token changes nothing");
        }
        assert!(!contacts.accept("old", now).unwrap().unknown);
        assert!(!contacts.heard("old", &issued(Some(0)), now).unwrap().unknown);
        assert!(contacts.heard("bare", &issued(None), now).unwrap().unknown, "the others stay unknown");
    }

    #[test]
    fn state_of_an_earlier_version_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let contacts = FirstContacts::new(&directory.path().join("harmony/journal"));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert!(!contacts.heard("runbeam/01H", &issued(Some(0)), now).unwrap().unknown);
        assert!(
            contacts.heard("runbeam/02H", &issued(Some(0)), now).unwrap().unknown,
            "another gateway is new"
        );
    }
}
