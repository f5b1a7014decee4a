//! The data of the page, and what the reader has selected in its address.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;

use crate::control_plane::call::Call;
use crate::control_plane::change::ChangeView;
use crate::control_plane::document::{Document, Kind};
use crate::control_plane::gateway::Gateway;
use crate::control_plane::standing::Standing;
use crate::control_plane::state::State;

/// The document in the editor.
#[derive(Clone, Copy)]
pub(super) enum Editing<'a> {
    Nothing,
    New(Kind),
    Stored(&'a Document),
    /// The address names a document that does not exist.
    Missing,
}

/// The data of the page.
pub(super) struct View<'a> {
    pub(super) state: &'a State,
    pub(super) url: &'a str,
    pub(super) now: Timestamp,
    pub(super) gateway: Option<&'a Gateway>,
    /// The code in the address of a gateway that does not exist.
    pub(super) missing: Option<String>,
    pub(super) editing: Editing<'a>,
    query: Option<String>,
}

impl<'a> View<'a> {
    /// Creates the view. The only gateway is selected if the address has none.
    pub(super) fn new(state: &'a State, url: &'a str, call: &Call) -> Self {
        let wanted = call.parameter("gateway");
        let gateway = match (&wanted, &state.gateways[..]) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(code), _) => state.gateway(code),
        };
        let missing = wanted.filter(|_| gateway.is_none());
        let editing = gateway.map_or(Editing::Nothing, |gateway| editing(state, gateway, call));
        Self { state, url, now: Timestamp::now(), gateway, missing, editing, query: call.query.clone() }
    }

    /// The state of a gateway.
    pub(super) fn standing(&self, gateway: &Gateway) -> Standing {
        Standing::of(self.state, gateway, self.now)
    }

    /// The documents of a gateway, its configuration first.
    pub(super) fn documents(&self, gateway: &Gateway) -> Vec<&'a Document> {
        let all = self.state.documents.iter();
        let mut own: Vec<_> = all.filter(|document| document.gateway_id == gateway.id).collect();
        own.sort_by_key(|one| (one.kind != Kind::Gateway, one.kind.name(), &one.name));
        own
    }

    /// The changes of the selected gateway, newest first; those of all gateways if none is selected.
    pub(super) fn changes(&self) -> impl Iterator<Item = &'a ChangeView> {
        let selected = self.gateway.map(|gateway| gateway.id.as_str());
        let is_shown = move |change: &&ChangeView| selected.is_none_or(|id| change.gateway_id == id);
        self.state.changes.iter().rev().filter(is_shown)
    }

    /// The newest change of a document.
    pub(super) fn change_of(&self, document: &Document) -> Option<&'a ChangeView> {
        let is_its_own = |change: &&ChangeView| {
            change.gateway_id == document.gateway_id
                && change.document() == Some((document.kind.name(), document.name.as_str()))
        };
        self.state.changes.iter().rev().find(is_its_own)
    }

    /// Returns a tag that changes with what the page shows: with the state, and with a gateway that falls silent.
    pub(super) fn tag(&self, revision: u64) -> String {
        let mut hasher = DefaultHasher::new();
        (revision, &self.query).hash(&mut hasher);
        for gateway in &self.state.gateways {
            self.standing(gateway).name().hash(&mut hasher);
        }
        format!("\"{:016x}\"", hasher.finish())
    }
}

/// Returns the document that the address names: `document=pipeline/hello`, or `new=pipeline`.
fn editing<'a>(state: &'a State, gateway: &Gateway, call: &Call) -> Editing<'a> {
    if let Some(kind) = call.parameter("new") {
        return kind.parse().map_or(Editing::Missing, Editing::New);
    }
    let Some(wanted) = call.parameter("document") else { return Editing::Nothing };
    let found = wanted.split_once('/').and_then(|(kind, name)| {
        let mut all = state.documents.iter();
        all.find(|one| one.gateway_id == gateway.id && one.kind.name() == kind && one.name == name)
    });
    found.map_or(Editing::Missing, Editing::Stored)
}
