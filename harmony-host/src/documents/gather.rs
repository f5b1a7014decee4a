//! Gathering what the files of a tree say: the certificates and keys that they name, their problems and their secrets.

use std::sync::Arc;

use provider_api::Secret;

use crate::config::keys::secrets::known;
use crate::diagnostics::sensitive::Sensitive;
use crate::documents::key_files::{KeyFile, key_files};
use crate::documents::load::{Loaded, Loader};
use crate::documents::neighbours::check_access;
use crate::documents::{Content, Documents, encoding};

impl Loader<'_> {
    /// Reads the certificates and keys, and gathers what all files say.
    pub(super) fn finish(mut self, name: &str) -> Loaded {
        self.findings.is_quiet = self.problems.is_empty();
        let read: Vec<String> = match &self.again {
            Some(names) => names.iter().filter(|name| self.files.contains_key(*name)).cloned().collect(),
            None => self.files.keys().cloned().collect(),
        };
        let fragments = read.iter().filter_map(|name| Some((name, self.files.get(name)?.fragment()?)));
        let remarkable =
            fragments.filter(|(_, fragment)| fragment.is_remarkable() || !key_files(fragment).is_empty());
        let remarkable: Vec<String> = remarkable.map(|(name, _)| name.clone()).collect();
        self.findings.remarkable.extend(remarkable);
        self.key_files();
        self.set_sensitive(name, &read);
        if self.saved.is_none() {
            self.check_access(&read);
        }
        let saved = self.saved.is_some();
        let config_path = self.layers.config_path().to_owned();
        Loaded {
            documents: Documents::new(config_path, self.files, saved, self.unreadable, self.findings),
            problems: self.problems,
        }
    }

    /// Tells every file which of its values are secret, and takes over the problems inside each. `read` are the names of the
    /// files that may not know it.
    fn set_sensitive(&mut self, name: &str, read: &[String]) {
        let patterns = self.files.get(name).and_then(|config| config.fragment()?.gateway.as_deref());
        let patterns = patterns.map(|gateway| gateway.proxy.sensitive_field_patterns.as_slice());
        let sensitive = Sensitive::new(known, patterns.unwrap_or_default());
        // The same decision is the same object, so that what was found with it in a file holds.
        let before = self.previous.map(Documents::sensitive).filter(|before| **before == sensitive);
        let sensitive = before.unwrap_or_else(|| Arc::new(sensitive));
        for file in read.iter().filter_map(|name| self.files.get(name)) {
            match &file.content {
                Content::Toml(fragment) => fragment.source.set_sensitive(&sensitive),
                Content::Transform(source) => source.set_sensitive(&sensitive),
                Content::Pem(_) => {}
            }
        }
        let remarkable = self.findings.remarkable.iter().filter_map(|name| self.files.get(name)?.fragment());
        remarkable.for_each(|fragment| self.problems.extend(&fragment.problems));
    }

    /// Warns about files with secrets that others can read. `read` are the names of the files that were not examined yet.
    fn check_access(&mut self, read: &[String]) {
        let is_secret = |name: &&String| self.files.get(*name).is_some_and(|file| file.is_secret());
        let secret: Vec<String> = read.iter().chain(&self.findings.pems).filter(is_secret).cloned().collect();
        self.findings.secret.extend(secret);
        let proposed = |name: &str| self.proposed.is_some_and(|edits| edits.get(name).is_some());
        for name in self.findings.secret.iter().filter(|name| !proposed(name)) {
            let overlay = self.files.get(name).and_then(|file| file.overlay.clone());
            let path = overlay.map_or_else(|| self.layers.base_path(name), |path| path.to_path_buf());
            check_access(&path, name, &mut self.problems);
        }
    }

    /// Reads the certificates and keys that the files read so far name.
    fn key_files(&mut self) {
        let fragments = self.findings.remarkable.iter().filter_map(|name| self.files.get(name)?.fragment());
        let named: Vec<KeyFile> = fragments.flat_map(key_files).collect();
        for file in named {
            let name = &file.path.value;
            self.read(name, Some(&file), |bytes, _| Ok(Content::Pem(Secret::new(encoding::text(bytes)?))));
            if self.files.get(name).is_some_and(|file| matches!(file.content, Content::Pem(_))) {
                self.findings.pems.insert(name.clone());
            }
        }
    }
}
