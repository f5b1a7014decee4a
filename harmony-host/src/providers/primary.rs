//! The primary provider and its identity.

use std::sync::Arc;

use provider_api::{Provider, ProviderName};

use crate::config;

/// The primary provider of a configuration, with its identity: that of its settings, not of its name.
#[derive(Clone, Debug)]
pub(crate) struct PrimaryProvider {
    pub(crate) provider: Arc<dyn Provider>,
    /// Equal for two instances with the same type and settings, apart from the poll interval.
    pub(crate) instance: Arc<str>,
    /// The source of its changes.
    pub(crate) source: SourceId,
}

/// The identity of a source of changes. The journal has it with each change: a change of another source is neither
/// applied nor reported to this one, whatever the name of the provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SourceId {
    pub(crate) provider: ProviderName,
    /// The digest of the settings that choose the source: the URL of the control plane, or else all but secrets.
    pub(crate) store: Arc<str>,
}

impl PrimaryProvider {
    pub(crate) fn new(provider: &Arc<dyn Provider>, primary: &config::Primary) -> Self {
        let source = SourceId { provider: provider.name().clone(), store: primary.store().into() };
        Self { provider: Arc::clone(provider), instance: primary.identity().into(), source }
    }

    /// Returns whether both are the same provider with the same settings.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.instance == other.instance && self.source == other.source
    }
}
