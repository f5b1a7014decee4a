//! The state of a merge into `config.toml`, and the settings that it must not change.

use std::path::Path;
use std::sync::Arc;

use toml_edit::{DocumentMut, Item};

use crate::apply::proposal::layout::{replace, set, value_of};
use crate::apply::proposal::legacy;
use crate::apply::proposal::local_keys;
use crate::apply::proposal::meaning::Guarded;
use crate::apply::proposal::outcome::Outcome;
use crate::apply::proposal::proposed::Proposed;
use crate::config::keys::authority::is_known;
use crate::diagnostics::source::Source;
use crate::documents::editable;

/// A merge in progress.
pub(super) struct Merge<'a, 'b> {
    pub(super) proposed: &'a mut Proposed<'b>,
    source: &'a Arc<Source>,
    /// The document that the change is merged into.
    pub(super) own: DocumentMut,
    /// Its text before the change; after the migration of a legacy section, which brings nothing from outside.
    pub(super) base: String,
    /// The guarded settings before the change.
    before: Option<Guarded>,
    /// The values that the merged document must have.
    pub(super) outcome: Outcome,
}

impl<'a, 'b> Merge<'a, 'b> {
    pub(super) fn new(proposed: &'a mut Proposed<'b>, source: &'a Arc<Source>, own: DocumentMut) -> Self {
        let outcome = Outcome::of(&own.to_string());
        let base = editable::text_of(&own);
        let mut merge = Self { proposed, source, own, base, before: None, outcome };
        merge.before = merge.guarded(&merge.own);
        merge
    }

    /// Adds a problem at the place of `path` in the change.
    pub(super) fn reject(&mut self, path: &[&str], message: &str) {
        let place = local_keys::place(self.source, path);
        self.proposed.problems.error(place.as_ref(), path.join("."), message).help(local_keys::HELP);
    }

    /// Reads the guarded settings of a document.
    pub(super) fn guarded(&self, document: &DocumentMut) -> Option<Guarded> {
        let root = self.proposed.base.documents.config_path().parent().unwrap_or_else(|| Path::new(""));
        Guarded::of(&editable::text_of(document), root)
    }

    /// Returns whether the guarded settings stay the same with a key of a section set.
    pub(super) fn holds(&self, section: &str, key: &str, value: &Item) -> bool {
        // A variable has its value on this machine only. Comparing it would tell a control plane about that.
        // An unknown key means nothing, so setting it would seem to change nothing.
        if value.to_string().contains('$') || self.before.is_none() || !is_known(section, key) {
            return false;
        }
        let mut trial = self.own.clone();
        set(&mut trial, &[section], key, value);
        self.guarded(&trial) == self.before
    }

    /// Sets one key.
    pub(super) fn set(&mut self, path: &[&str], key: &str, value: &Item) {
        set(&mut self.own, path, key, value);
        self.outcome.set(path, key, value_of(value));
    }

    /// Replaces or adds a section.
    pub(super) fn section(&mut self, key: &str, item: &Item) {
        replace(&mut self.own, key, item);
        self.outcome.set(&[], key, value_of(item));
    }

    /// Writes the settings of a legacy section as `[provider.<name>]`.
    pub(super) fn migrate(&mut self) {
        if legacy::migrate(&mut self.own, self.proposed.base.registry) {
            self.base = editable::text_of(&self.own);
            self.outcome = Outcome::of(&self.own.to_string());
        }
    }

    /// Returns the merged document, after a last look at the guarded settings of the whole: whatever section changed
    /// them.
    pub(super) fn finish(mut self) -> Self {
        if !self.proposed.problems.refuse()
            && let (Some(before), Some(after)) = (self.before.take(), self.guarded(&self.own))
            && before != after
        {
            if before.identity != after.identity {
                self.reject(
                    &["proxy", "name"],
                    "the gateway has no id, so its name is its identity; a change may not set it",
                );
            } else if let (true, Some((_, network, _))) =
                (before.network != after.network, &before.management)
            {
                self.reject(
                    &["network", network],
                    "the management API is served on this network; a change may not set it",
                );
            } else {
                self.reject(&["management"], "a change may not set the guarded settings of the gateway");
            }
        }
        self
    }
}
