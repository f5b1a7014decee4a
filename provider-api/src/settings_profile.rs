//! Facts about the settings of a provider type.

/// Facts about the section `[provider.<name>]` of one provider type that a host needs without building a provider.
///
/// Knowledge of one provider lives here and not in the host: its defaults, a section that it used to be configured
/// with, and which of its keys may leave the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingsProfile {
    /// Keys and values that hold when the section does not write them. Writing such a value out changes nothing.
    pub defaults: &'static [(&'static str, &'static str)],
    /// The section that configured this type before `[provider.<name>]` existed.
    pub legacy: Option<LegacySection>,
    /// Keys that may be sent to the control plane when the configuration is pushed. All others stay here.
    pub public_keys: &'static [&'static str],
}

/// A deprecated top-level section that stands for `[provider.<type>]`.
///
/// It has a boolean key `enabled`: when that is not true, the primary provider is `local` unless
/// `proxy.primary_provider` says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegacySection {
    /// Its name.
    pub name: &'static str,
    /// Its keys and the keys that replace them.
    pub keys: &'static [(&'static str, &'static str)],
}

impl SettingsProfile {
    /// A type without defaults and without a legacy section, all of whose keys stay on the machine.
    pub const fn new() -> Self {
        Self { defaults: &[], legacy: None, public_keys: &[] }
    }

    /// Adds values that hold when the section does not write them.
    #[must_use]
    pub const fn with_defaults(mut self, defaults: &'static [(&'static str, &'static str)]) -> Self {
        self.defaults = defaults;
        self
    }

    /// Adds the section that configured this type before.
    #[must_use]
    pub const fn with_legacy(mut self, legacy: LegacySection) -> Self {
        self.legacy = Some(legacy);
        self
    }

    /// Adds the keys that may be sent to the control plane.
    #[must_use]
    pub const fn with_public_keys(mut self, keys: &'static [&'static str]) -> Self {
        self.public_keys = keys;
        self
    }
}
