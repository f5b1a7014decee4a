//! The metadata of an authorization, as a list or as a map.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// Free text about the gateway. The official CLI sends a map; the control plane takes the names in it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Metadata {
    Names(Vec<String>),
    Map(BTreeMap<String, IgnoredAny>),
}

impl Metadata {
    pub(super) fn into_texts(self) -> Vec<String> {
        match self {
            Self::Names(names) => names,
            Self::Map(map) => map.into_keys().collect(),
        }
    }
}
