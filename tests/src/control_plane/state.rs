//! The state of a control plane.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::change::ChangeView;
use super::document::Document;
use super::gateway::{Gateway, MachineToken};
use super::keys::Keys;
use super::login::Login;
use super::team::{SanctumToken, Team, User};

/// The state of a control plane, and the content of its data file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct State {
    pub(super) teams: Vec<Team>,
    pub(super) users: Vec<User>,
    pub(super) sanctum_tokens: Vec<SanctumToken>,
    pub(super) logins: Vec<Login>,
    pub(super) gateways: Vec<Gateway>,
    pub(super) machine_tokens: Vec<MachineToken>,
    pub(super) documents: Vec<Document>,
    /// Oldest first.
    pub(super) changes: Vec<ChangeView>,
    /// The ids of resources by gateway, type and name, so that an id stays when a document is edited.
    pub(super) resource_ids: BTreeMap<String, String>,
    /// The ids of resources that only their own team may see.
    pub(super) private_resources: BTreeSet<String>,
    pub(super) keys: Keys,
}
