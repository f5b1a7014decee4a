//! Settling the overlay once a configuration is live: files that lost to a newer base leave it. And the report on it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::documents::Documents;
use crate::documents::layers::{Layers, State};
use crate::documents::origins::Origins;
use crate::documents::overlay::{Displaced, Overlay, ReadOnly};
use crate::storage::digest::{Digest, full};

/// The report on an overlay.
#[derive(Clone, Debug)]
pub(crate) struct OverlayReport {
    /// The directory of its files.
    pub(crate) directory: PathBuf,
    /// The paths of the base that cannot be written.
    pub(crate) read_only: Vec<ReadOnly>,
    pub(crate) entries: Vec<OverlayEntry>,
    /// The files that a newer base has replaced, oldest first.
    pub(crate) displaced: Vec<Displaced>,
}

/// A file of an overlay.
#[derive(Clone, Debug)]
pub(crate) struct OverlayEntry {
    /// The name, relative to the directory of config.toml.
    pub(crate) file: String,
    pub(crate) path: PathBuf,
    /// The file that it is read instead of.
    pub(crate) base: PathBuf,
    /// The change that wrote it and its kind; `None` for an edit by hand.
    pub(crate) change: Option<(String, String)>,
    pub(crate) at: Option<Timestamp>,
    /// Set if a newer base is in the files, and not live.
    pub(crate) displaced: bool,
}

impl Layers {
    /// Moves the files that lost to a newer base out of the overlay, forgets those that were removed, and takes in those
    /// that were made by hand. Call it when the configuration on the disk is live: until then the newer base may be a
    /// mistake, or a volume that is not mounted.
    pub(crate) fn settle(&self, origins: &Origins, now: Timestamp) {
        let Some(overlay) = self.overlay() else { return };
        for inside in overlay.names() {
            self.settle_file(&inside, origins, now);
        }
        for inside in overlay.removed() {
            tracing::info!(file = inside, "the file was removed from the overlay; the base holds again");
            log(&inside, overlay.forget(&inside));
            self.forget_origins(&inside, origins, false);
        }
    }

    /// Moves a file that lost to a newer base out of the overlay, or takes it in if it was made by hand.
    fn settle_file(&self, inside: &str, origins: &Origins, now: Timestamp) {
        let Some(overlay) = self.overlay() else { return };
        match self.state(inside) {
            State::Displaced(path) => log(inside, self.displace(overlay, inside, &path, origins, now)),
            State::Overlay(path) if overlay.base_of(inside).is_none() => {
                let adopted = self.base_digest(inside).and_then(|base| overlay.adopt(inside, base));
                log(inside, adopted);
                tracing::info!(file = inside, path = %path.display(), "the overlay has a file that was made by hand");
            }
            State::Overlay(_) | State::Base => {}
        }
    }

    /// Moves the files of a proposal that lost to a newer base out of the overlay, before a change writes them again.
    pub(crate) fn clear<'n>(&self, names: impl Iterator<Item = &'n str>, origins: &Origins, now: Timestamp) {
        for inside in names.filter_map(|name| self.inside(name)) {
            if let (Some(overlay), State::Displaced(path)) = (self.overlay(), self.state(&inside)) {
                log(&inside, self.displace(overlay, &inside, &path, origins, now));
            }
        }
    }

    fn displace(
        &self,
        overlay: &Overlay,
        inside: &str,
        path: &Path,
        origins: &Origins,
        now: Timestamp,
    ) -> io::Result<()> {
        let same = self.base_digest(inside)? == Some(full(Digest::of(&fs::read(path)?)));
        let displaced = overlay.displace(inside, path, now)?;
        self.forget_origins(inside, origins, same);
        tracing::warn!(
            file = inside,
            change = displaced.change,
            copy = %displaced.copy.display(),
            "the base of a file in the overlay was edited; the edit is newer and holds, and a copy of the overlaid file is saved"
        );
        Ok(())
    }

    /// Ends what the record of the origins says about a file in the overlay. A base with the same text came from the
    /// control plane as well.
    fn forget_origins(&self, inside: &str, origins: &Origins, same: bool) {
        log(inside, origins.leave_overlay(|file| self.inside(file).as_deref() == Some(inside), same));
    }

    /// Returns the report on the overlay; `None` if the base can be written and the overlay is empty.
    pub(crate) fn report(&self) -> Option<OverlayReport> {
        let overlay = self.overlay()?;
        let report = OverlayReport {
            directory: overlay.files(),
            read_only: self.read_only(),
            entries: overlay.names().iter().filter_map(|inside| self.entry(overlay, inside)).collect(),
            displaced: overlay.displaced(),
        };
        let empty = report.read_only.is_empty() && report.entries.is_empty() && report.displaced.is_empty();
        (!empty).then_some(report)
    }

    fn entry(&self, overlay: &Overlay, inside: &str) -> Option<OverlayEntry> {
        let (path, displaced) = match self.state(inside) {
            State::Overlay(path) => (path, false),
            State::Displaced(path) => (path, true),
            State::Base => return None,
        };
        let write = fs::read(&path).ok().and_then(|b| overlay.write_of(inside, &full(Digest::of(&b))));
        let modified = || Timestamp::try_from(fs::metadata(&path).ok()?.modified().ok()?).ok();
        let at = write.as_ref().map_or_else(modified, |write| Some(write.at));
        let change = write.map(|write| (write.change, write.kind));
        Some(OverlayEntry {
            file: inside.to_owned(),
            base: self.base_path(inside),
            path,
            change,
            at,
            displaced,
        })
    }

    /// Examines which directories and files of the base cannot be written.
    pub(crate) fn examine_base(&self, documents: &Documents) {
        let gateway = documents.gateway();
        let directories = gateway.into_iter().flat_map(|gateway| {
            let proxy = &gateway.proxy;
            [&proxy.pipelines_path, &proxy.mesh_path, &proxy.transforms_path]
                .map(|directory| self.base_path(&format!("{}new", directory.below())))
        });
        self.examine([self.config_path().to_owned()].into_iter().chain(directories));
    }
}

/// Logs a failure. It is tried again with the next configuration.
fn log(file: &str, result: io::Result<()>) {
    if let Err(error) = result {
        tracing::error!(file, %error, "the overlay cannot be written");
    }
}

#[cfg(test)]
mod tests;
