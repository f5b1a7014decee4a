//! Facts about the settings of a provider type.

/// Facts about the section `[provider.<name>]` of one provider type, available without building a provider.
///
/// They keep knowledge of a single provider out of the host: its default values, a legacy section, and the
/// keys that may leave the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingsProfile {
    /// The default values of keys. A section that sets a key to its default is equal to one without the key.
    pub defaults: &'static [(&'static str, &'static str)],
    /// The section that configured this type before `[provider.<name>]` existed.
    pub legacy: Option<LegacySection>,
    /// The keys that a host may send to the control plane when it pushes the configuration. All other keys
    /// stay on the machine, since they may be secret.
    pub public_keys: &'static [&'static str],
    /// All keys of the section, without `type`, `enabled` and `poll_interval_secs`, which every section may have. A host
    /// rejects every other key. `None` if the type does not tell: the host then accepts any key.
    pub keys: Option<&'static [&'static str]>,
    /// The key whose value is the URL of the control plane. A host names it in messages, without user and query.
    pub address_key: Option<&'static str>,
}

/// A deprecated top-level section that is read as `[provider.<type>]`.
///
/// The section has a boolean key `enabled`. When it is not true, the primary provider is `local` unless
/// `proxy.primary_provider` names another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegacySection {
    /// The name of the section.
    pub name: &'static str,
    /// The keys of the section, each with the key that replaces it.
    pub keys: &'static [(&'static str, &'static str)],
}

impl SettingsProfile {
    /// Creates a profile without defaults, without a legacy section, public keys and an address, of a section with any
    /// keys.
    pub const fn new() -> Self {
        Self { defaults: &[], legacy: None, public_keys: &[], keys: None, address_key: None }
    }

    /// Sets the default values.
    #[must_use]
    pub const fn with_defaults(mut self, defaults: &'static [(&'static str, &'static str)]) -> Self {
        self.defaults = defaults;
        self
    }

    /// Sets the legacy section.
    #[must_use]
    pub const fn with_legacy(mut self, legacy: LegacySection) -> Self {
        self.legacy = Some(legacy);
        self
    }

    /// Sets the keys that a host may send to the control plane.
    #[must_use]
    pub const fn with_public_keys(mut self, keys: &'static [&'static str]) -> Self {
        self.public_keys = keys;
        self
    }

    /// Sets all keys of the section, without those that every section may have.
    #[must_use]
    pub const fn with_keys(mut self, keys: &'static [&'static str]) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Sets the key whose value is the URL of the control plane.
    #[must_use]
    pub const fn with_address_key(mut self, key: &'static str) -> Self {
        self.address_key = Some(key);
        self
    }
}
