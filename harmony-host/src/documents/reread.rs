//! Reading the edited files alone, where an edit neither adds nor removes any.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Component, Path};

use crate::config::Fragment;
use crate::documents::load::{Loader, directories_of};
use crate::documents::{Content, Touched};

impl Loader<'_> {
    /// Returns the names of the edited files, if each of them was there before and still is. The directories need not be
    /// listed then. `None` for every other edit, and where a look at the directories could find something new.
    pub(super) fn edited(&self, config: &str) -> Option<BTreeSet<String>> {
        let (Touched::Files(paths), Some(previous)) = (self.touched, self.previous) else { return None };
        if self.proposed.is_some() || self.saved.is_some() || !previous.findings.is_quiet {
            return None;
        }
        let overlay = self.layers.watched().0;
        let mut names = BTreeSet::new();
        for path in paths {
            let name = path.strip_prefix(self.layers.root()).ok()?.to_str()?;
            if name == config || path.parent().is_some_and(|parent| overlay.contains(parent)) {
                return None;
            }
            match fs::metadata(path) {
                Ok(metadata) if metadata.is_file() => {
                    previous.files.get(name).filter(|file| file.overlay.is_none())?;
                    names.insert(name.to_owned());
                }
                // A temporary file that was moved to its place.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && !previous.files.contains_key(name) => {}
                _ => return None,
            }
        }
        // In directories elsewhere, the name of a file is not its path.
        let directories = previous.files.get(config).and_then(directories_of)?;
        let is_below = |directory: &str| {
            Path::new(directory).components().all(|part| matches!(part, Component::Normal(_)))
        };
        directories.iter().all(|directory| is_below(&directory.path)).then_some(names)
    }

    /// Takes all files of the previous tree, and reads those with the given names again. Certificates and keys are left to
    /// the files that name them.
    pub(super) fn read_again(&mut self, config: &str, edited: &BTreeSet<String>) {
        let Some(previous) = self.previous else { return };
        let Some([_, _, transforms]) = previous.files.get(config).and_then(directories_of) else { return };
        self.files.clone_from(&previous.files);
        self.findings.clone_from(&previous.findings);
        for pem in &previous.findings.pems {
            self.files.remove(pem);
            self.findings.forget(pem);
        }
        for name in edited {
            let Some(file) = self.files.remove(name) else { continue };
            self.findings.forget(name);
            if name.starts_with(&transforms.below()) && matches!(file.content, Content::Transform(_)) {
                self.transform(name);
            } else {
                self.toml(name, Fragment::part);
            }
        }
        self.again = Some(edited.clone());
    }
}
