//! A registry for unit tests: one type with the profile of a provider that has defaults and a legacy section.

use std::sync::Arc;

use provider_api::{
    BuildContext, Error, InvalidSettings, LegacySection, Provider, ProviderFactory, Registry, SettingsProfile,
};

/// A factory that has a profile and builds nothing.
struct ProfileOnly;

impl ProviderFactory for ProfileOnly {
    const TYPE: &'static str = "runbeam";
    type Settings = toml::Table;

    fn build(&self, _: BuildContext, _: toml::Table) -> Result<Arc<dyn Provider>, InvalidSettings> {
        Err(Error::invalid("this factory builds nothing").into())
    }

    fn profile(&self) -> SettingsProfile {
        SettingsProfile::new()
            .with_defaults(&[("api", "https://api.example")])
            .with_legacy(LegacySection {
                name: "runbeam",
                keys: &[("cloud_api_base_url", "api"), ("poll_interval_secs", "poll_interval_secs")],
            })
            .with_public_keys(&["api"])
            .with_keys(&["api", "team", "allow_insecure"])
            .with_address_key("api")
    }
}

/// Returns the registry.
pub(crate) fn test_registry() -> Registry {
    let mut registry = Registry::new();
    registry.register(ProfileOnly);
    registry
}
