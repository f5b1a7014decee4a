//! The record of what came from a control plane: files, and keys of config.toml.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::diagnostics::problem::Problems;
use crate::documents::edits::Edits;
use crate::documents::marks::Marks;
use crate::documents::{Documents, directed};
use crate::storage::atomic_file;
use crate::storage::digest::Digest;
use crate::storage::io_error;

/// The files and keys that came from a control plane, each with the change that brought it first.
///
/// A document of a control plane may use only the environment variables that the local `proxy.remote_env_vars` names. An
/// edit by hand does not make it local: the rest of the file is still the control plane's. The same holds for the
/// operator's values in a section of which a control plane set another key, such as the port that a path is sent to.
#[derive(Debug)]
pub(crate) struct Origins {
    /// `None` for a record that is not on the disk.
    path: Option<PathBuf>,
    record: Mutex<Record>,
}

/// The party that set a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CameFrom {
    Operator,
    /// The control plane, first with this change.
    ControlPlane(String),
    /// The record is damaged.
    Unknown,
}

#[derive(Clone, Debug)]
enum Record {
    Known(Marks),
    /// The file is damaged: anything may have come from a control plane.
    Damaged,
}

impl Origins {
    /// Returns the directory of the record. It belongs to one configuration, so that its gateway can remove what a kill
    /// left in it without touching a write of another gateway.
    pub(crate) fn directory(state: &Path, config_path: &Path) -> PathBuf {
        let digest = Digest::of(config_path.as_os_str().as_encoded_bytes());
        state.join("harmony").join("origins").join(format!("{digest:#}"))
    }

    /// Reads the record of the configuration at `config_path`. A missing one is empty.
    pub(crate) fn open(state: &Path, config_path: &Path) -> Arc<Self> {
        let path = Self::directory(state, config_path).join("origins.json");
        let record = match fs::read(&path) {
            Ok(bytes) => Marks::decode(&bytes).map_or(Record::Damaged, Record::Known),
            // A state directory that cannot be entered has never been written to by this user.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                Record::Known(Marks::default())
            }
            Err(_) => Record::Damaged,
        };
        Arc::new(Self { path: Some(path), record: Mutex::new(record) })
    }

    /// Returns the record as it would be with the edits of a change written.
    pub(crate) fn with(&self, edits: &Edits) -> Arc<Self> {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner).clone();
        record.add("", edits);
        Arc::new(Self { path: None, record: Mutex::new(record) })
    }

    /// Records, durably, what changes are about to write.
    ///
    /// # Errors
    /// The error of the operating system; the changes must then not be written.
    pub(crate) fn mark<'e>(&self, changes: impl Iterator<Item = (&'e str, &'e Edits)>) -> io::Result<()> {
        self.update(|record| changes.for_each(|(change, edits)| record.add(change, edits)))
    }

    /// Removes what only each change recorded about its files: they are again what they were before it.
    pub(crate) fn unmark(&self, changes: &[(&str, Vec<&str>)]) {
        let restored = self.update(|record| {
            if let Record::Known(marks) = record {
                changes.iter().for_each(|(change, files)| marks.remove(change, files.iter().copied()));
            }
        });
        if let Err(error) = restored {
            let changes: Vec<&str> = changes.iter().map(|(change, _)| *change).take(10).collect();
            tracing::error!(
                changes = changes.join(", "), %error,
                "the record of what came from a control plane cannot be written"
            );
        }
    }

    /// Returns who set a key of a file.
    pub(crate) fn came_from(&self, file: &str, key: &str, overlaid: bool) -> CameFrom {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let Record::Known(marks) = &*record else { return CameFrom::Unknown };
        let mut own = marks.of_file(file, overlaid);
        let found = own.find(|mark| mark.key.as_ref().is_none_or(|above| directed::is_within(key, above)));
        match found {
            Some(mark) => CameFrom::ControlPlane(marks.change_of(mark).unwrap_or_default().to_owned()),
            None => CameFrom::Operator,
        }
    }

    /// Ends what is recorded about the files in the overlay for which `leaves` returns true. It holds for the base from now
    /// on if its text is the same.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(crate) fn leave_overlay(&self, leaves: impl Fn(&str) -> bool, same: bool) -> io::Result<()> {
        self.update(|record| {
            if let Record::Known(marks) = record {
                marks.leave_overlay(leaves, same);
            }
        })
    }

    /// Returns the marks on a file: dotted keys, or an empty text for the whole file.
    pub(crate) fn marks_on(&self, file: &str, is_overlaid: bool) -> Vec<String> {
        match &*self.record.lock().unwrap_or_else(PoisonError::into_inner) {
            Record::Known(marks) => marks
                .of_file(file, is_overlaid)
                .filter(|mark| mark.overlay == is_overlaid)
                .map(|mark| mark.key.clone().unwrap_or_default())
                .collect(),
            Record::Damaged => vec![String::new()],
        }
    }

    fn update(&self, update: impl FnOnce(&mut Record)) -> io::Result<()> {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = record.clone();
        update(&mut next);
        if let (Some(path), Record::Known(marks)) = (&self.path, &next)
            && !matches!(&*record, Record::Known(before) if before == marks)
        {
            let directory = path.parent().unwrap_or(Path::new("."));
            atomic_file::make_directory(directory, 0o700).map_err(io_error::at(directory))?;
            atomic_file::write(path, &marks.encode()?, 0o600).map_err(io_error::at(path))?;
        }
        *record = next;
        Ok(())
    }

    /// Adds an error for every variable that a document of a control plane uses and the gateway does not permit. Says
    /// nothing of the variable itself: a control plane must not learn which ones are set.
    pub(crate) fn check(&self, documents: &Documents, problems: &mut Problems) {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        // Most configurations are the operator's alone, or use no variables.
        if record.is_empty() || documents.remarkable().all(|fragment| fragment.variables.is_empty()) {
            return;
        }
        let gateway = documents.gateway();
        let permitted = gateway.map(|gateway| gateway.proxy.remote_env_vars.as_slice()).unwrap_or_default();
        let named = directed::by_name(documents, |file, key| {
            record.sets_part_of(file, key, documents.may_be_overlaid(file))
        });
        for fragment in documents.remarkable() {
            let file = fragment.source.name();
            for used in fragment.variables.iter().filter(|used| !permitted.contains(&used.name)) {
                let elsewhere = named.iter().find(|(directed, _)| {
                    directed.file == file
                        && directed.key.as_ref().is_some_and(|above| directed::is_within(&used.key, above))
                });
                let reason =
                    match (record.origin_of(file, &used.key, documents.may_be_overlaid(file)), elsewhere) {
                        (Origin::Remote, _) => "this came from a control plane".to_owned(),
                        (Origin::Beside(key), _) => {
                            format!("a control plane set `{key}`, which decides where this goes")
                        }
                        (Origin::Local, Some((_, by))) => {
                            format!("a control plane set a part of `{by}`, which decides where this goes")
                        }
                        (Origin::Local, None) => continue,
                    };
                let message = format!(
                    "{reason}, and `proxy.remote_env_vars` does not permit the variable {}",
                    used.name
                );
                problems.error(Some(&used.place), &used.key, message).help(match &*record {
                    Record::Known(_) => "add the variable to `remote_env_vars` in config.toml if it may use it",
                    Record::Damaged => "the record of what came from a control plane is damaged; remove it from `harmony/origins` in the state directory to trust every file",
                });
            }
        }
    }
}

/// The origin of the value of a key.
enum Origin {
    /// The operator.
    Local,
    /// A control plane.
    Remote,
    /// The operator; a control plane set this key of the same section.
    Beside(String),
}

impl Record {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Known(marks) if marks.is_empty())
    }

    fn add(&mut self, change: &str, edits: &Edits) {
        if let Self::Known(marks) = self {
            marks.add(change, edits);
        }
    }

    /// Returns where the value of `key` in `file` came from.
    fn origin_of(&self, file: &str, key: &str, overlaid: bool) -> Origin {
        let Self::Known(marks) = self else { return Origin::Remote };
        let mut origin = Origin::Local;
        for mark in marks.of_file(file, overlaid) {
            match &mark.key {
                None => return Origin::Remote,
                Some(above) if directed::is_within(key, above) => return Origin::Remote,
                Some(other) if directed::is_within(key, directed::reach(other)) => {
                    origin = Origin::Beside(other.clone())
                }
                Some(_) => {}
            }
        }
        origin
    }

    /// Returns whether a part of the section `key` in `file` came from a control plane.
    fn sets_part_of(&self, file: &str, key: &str, overlaid: bool) -> bool {
        !matches!(self.origin_of(file, key, overlaid), Origin::Local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(name: &str) -> Edits {
        let mut edits = Edits::default();
        edits.insert(name, "x");
        edits
    }

    fn is_remote(origins: &Origins, file: &str, key: &str) -> bool {
        matches!(origins.record.lock().unwrap().origin_of(file, key, false), Origin::Remote)
    }

    #[test]
    fn marks_outlive_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Origins::open(dir.path(), Path::new("/c/config.toml"));
        let origins = open();
        origins.mark([("one", &edits("pipelines/a.toml"))].into_iter()).unwrap();
        let mut config = edits("config.toml");
        config.set_keys("config.toml", vec!["network.n".to_owned()]);
        origins.mark([("two", &config)].into_iter()).unwrap();
        let again = open();
        assert!(is_remote(&again, "pipelines/a.toml", "any"));
        assert!(
            is_remote(&again, "config.toml", "network.n.http")
                && !is_remote(&again, "config.toml", "network.nn")
        );
        // A later change that is rolled back does not make the file local.
        again.mark([("three", &edits("pipelines/a.toml"))].into_iter()).unwrap();
        again.unmark(&[("three", vec!["pipelines/a.toml"])]);
        assert!(is_remote(&open(), "pipelines/a.toml", "any"));
        again.unmark(&[("two", vec!["config.toml"])]);
        assert!(!is_remote(&open(), "config.toml", "network.n.http"));
    }

    /// A mark of a file in the overlay says nothing about its base.
    #[test]
    fn marks_of_the_overlay_end_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Origins::open(dir.path(), Path::new("/c/config.toml"));
        let is_overlaid_remote = || {
            matches!(open().record.lock().unwrap().origin_of("pipelines/a.toml", "any", true), Origin::Remote)
        };
        let is_base_remote = || is_remote(&open(), "pipelines/a.toml", "any");
        let mut overlaid = edits("pipelines/a.toml");
        overlaid.overlay("pipelines/a.toml");
        open().mark([("one", &overlaid)].into_iter()).unwrap();
        assert_eq!((is_overlaid_remote(), is_base_remote()), (true, false));
        open().leave_overlay(|file| file == "pipelines/a.toml", false).unwrap();
        assert_eq!((is_overlaid_remote(), is_base_remote()), (false, false));
        // A base with the text of the overlay has what the control plane wrote.
        open().mark([("two", &overlaid)].into_iter()).unwrap();
        open().leave_overlay(|file| file == "pipelines/a.toml", true).unwrap();
        assert_eq!((is_overlaid_remote(), is_base_remote()), (true, true));
        // A change that is rolled back leaves no mark in either layer.
        let mut other = edits("pipelines/b.toml");
        other.overlay("pipelines/b.toml");
        open().mark([("three", &other)].into_iter()).unwrap();
        open().unmark(&[("three", vec!["pipelines/b.toml"])]);
        let left = open();
        let left = left.record.lock().unwrap();
        assert!(matches!(left.origin_of("pipelines/b.toml", "any", true), Origin::Local));
    }

    #[test]
    fn a_damaged_record_trusts_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Origins::open(dir.path(), Path::new("/c/config.toml"));
        open().mark([("one", &edits("pipelines/a.toml"))].into_iter()).unwrap();
        let path = open().path.clone().unwrap();
        fs::write(&path, "damaged").unwrap();
        assert!(is_remote(&open(), "pipelines/b.toml", "any"));
    }
}
