//! The active providers of a configuration.

use std::collections::BTreeMap;

use provider_api::{ProviderName, Reference, Registry};
use serde::Deserialize as _;
use url::Url;

#[cfg(feature = "management")]
use crate::config::DEFAULT_INTERVAL_SECS;
use crate::config::alternatives::join_names;
use crate::config::keys::nearest;
use crate::config::keys::secrets::known;
use crate::config::{GatewaySections, ProviderSection};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::sensitive::Sensitive;
use crate::diagnostics::source::{Place, Spanned};
use crate::storage::digest::Digest;

/// The primary provider of a configuration.
#[derive(Clone, Debug)]
pub(crate) struct Primary {
    /// The name.
    pub(crate) name: ProviderName,
    /// The section; `local` has none.
    pub(crate) section: Option<ProviderSection>,
    /// The place of `proxy.primary_provider`, if configured.
    pub(crate) place: Option<Place>,
    /// The default settings of the provider type.
    pub(crate) defaults: &'static [(&'static str, &'static str)],
    /// The URL of its control plane, without user and query, if the type has one.
    pub(crate) address: Option<String>,
}

impl Primary {
    /// Returns the primary provider that the sections of a config.toml choose. `default` is primary if they choose none.
    pub(crate) fn of(gateway: &GatewaySections, registry: &Registry, default: &ProviderName) -> Self {
        ActiveProviders::of(gateway, registry, default, &mut Problems::default()).into_primary()
    }

    /// Returns the provider type.
    pub(crate) fn provider_type(&self) -> &str {
        self.section.as_ref().map_or(self.name.as_str(), |section| &section.provider_type)
    }

    /// Returns the poll interval, in seconds.
    #[cfg(feature = "management")]
    pub(crate) fn interval_secs(&self) -> i64 {
        let set = self.settings().get("poll_interval_secs").and_then(toml::Value::as_integer);
        set.unwrap_or(DEFAULT_INTERVAL_SECS.cast_signed())
    }

    /// Returns the URL that is the value of `key`, or its default, without what may be secret: its origin and path.
    fn address_in(&self, key: &str) -> Option<String> {
        let read = |section: &ProviderSection| {
            section.with_settings(|settings| toml::Table::deserialize(settings).unwrap_or_default())
        };
        let settings = self.section.as_ref().map(read).unwrap_or_default();
        let default = self.defaults.iter().find_map(|(name, value)| (*name == key).then_some(*value));
        let url = Url::parse(settings.get(key).and_then(|value| value.as_str()).or(default)?).ok()?;
        let origin = url.origin();
        let path = url.path().trim_end_matches('/');
        origin.is_tuple().then(|| format!("{}{path}", origin.ascii_serialization()))
    }

    /// Returns the identity of the provider: equal for two configurations whose primary provider has the same type and
    /// settings. The poll interval is no part of it, because it does not change the control plane.
    pub(crate) fn identity(&self) -> String {
        self.digest(&serde_json::to_string(&self.own_settings()).unwrap_or_default())
    }

    /// Returns the identity of the source of changes: the URL of the control plane, or, for a provider without one, all
    /// settings but secrets. A new token does not make it another source.
    pub(crate) fn store(&self) -> String {
        if let Some(address) = &self.address {
            return self.digest(address);
        }
        let sensitive = Sensitive::new(known, &[]);
        let mut settings = self.own_settings();
        settings.retain(|key, value| {
            !sensitive.is_secret(&["provider", self.name.as_str(), key], value.is_table())
        });
        self.digest(&serde_json::to_string(&settings).unwrap_or_default())
    }

    fn digest(&self, settings: &str) -> String {
        let provider_type = self.provider_type();
        format!("{:#}", Digest::of(format!("{provider_type}\n{settings}").as_bytes()))
    }

    /// Returns the settings without those of the host.
    fn own_settings(&self) -> toml::Table {
        let mut settings = self.settings();
        for key in ["type", "poll_interval_secs", "enabled"] {
            settings.remove(key);
        }
        settings
    }

    /// Returns the digest of the type and all settings, those of the host among them.
    pub(crate) fn settings_digest(&self) -> Digest {
        let text = serde_json::to_string(&self.settings()).unwrap_or_default();
        Digest::of(format!("{}\n{text}", self.provider_type()).as_bytes())
    }

    /// Returns the URL of the control plane; `None` for a provider without one.
    fn api(&self) -> Option<Url> {
        Url::parse(self.settings().get("api")?.as_str()?.trim()).ok()
    }

    /// Returns the settings, with the defaults of the provider type.
    fn settings(&self) -> toml::Table {
        let read = |section: &ProviderSection| {
            section.with_settings(|settings| toml::Table::deserialize(settings).unwrap_or_default())
        };
        let mut settings = self.section.as_ref().map(read).unwrap_or_default();
        for (key, value) in self.defaults {
            settings.entry(*key).or_insert_with(|| (*value).into());
        }
        settings
    }
}

/// The providers that a configuration may use: `local` and the primary one. This type enforces the rule
/// that at most one remote provider is active.
#[derive(Debug)]
pub(crate) struct ActiveProviders {
    primary: Primary,
    /// The configured providers, with the places of their sections.
    configured: BTreeMap<ProviderName, Place>,
    /// The provider types that are compiled in.
    compiled: Vec<&'static str>,
}

impl ActiveProviders {
    /// Determines the providers that a configuration may use. `default` is primary if the files choose none.
    pub(crate) fn of(
        gateway: &GatewaySections,
        registry: &Registry,
        default: &ProviderName,
        problems: &mut Problems,
    ) -> Self {
        let mut sections = gateway.providers.by_name.clone();
        let legacy = gateway.providers.legacy(registry, problems);
        let legacy_primary = legacy.map(|legacy| {
            sections.insert(legacy.name, legacy.section);
            legacy.primary
        });
        let configured = gateway.proxy.primary_provider.as_ref();
        let name = match configured {
            Some(at) => at.value.parse::<ProviderName>().unwrap_or_else(|invalid| {
                problems.error(Some(&at.place), "proxy.primary_provider", invalid.to_string());
                ProviderName::local()
            }),
            None => legacy_primary.unwrap_or_else(|| default.clone()),
        };
        let place = configured.map(|at| at.place.clone());
        let mut primary =
            Primary { section: sections.get(&name).cloned(), name, place, defaults: &[], address: None };
        let profile = registry.profile(primary.provider_type());
        primary.defaults = profile.map(|profile| profile.defaults).unwrap_or_default();
        primary.address = profile.and_then(|profile| primary.address_in(profile.address_key?));
        let disabled = primary.section.as_ref().filter(|section| !section.enabled).cloned();
        if let Some(section) = disabled {
            let name = &primary.name;
            problems
                .warn(
                    Some(&section.place),
                    format!("provider.{name}.enabled"),
                    format!(
                        "the primary provider `{name}` is disabled: the gateway runs as with `local`, without changes and references of `{name}`"
                    ),
                )
                .help("delete `enabled`, or set proxy.primary_provider = \"local\"");
            let place = primary.place.take();
            primary =
                Primary { name: ProviderName::local(), section: None, place, defaults: &[], address: None };
        }
        let providers = Self {
            primary,
            configured: sections.into_iter().map(|(name, section)| (name, section.place)).collect(),
            compiled: registry.types().collect(),
        };
        providers.check_primary(gateway, registry, problems);
        check_types(gateway, registry, problems);
        providers
    }

    /// Checks that the primary provider is compiled in and configured.
    fn check_primary(&self, gateway: &GatewaySections, registry: &Registry, problems: &mut Problems) {
        let Primary { name, section, place, .. } = &self.primary;
        let place = place.as_ref().or(section.as_ref().map(|s| &s.place)).or(Some(&gateway.proxy.place));
        let known = registry.knows(self.primary.provider_type());
        let chosen = match &gateway.proxy.primary_provider {
            Some(_) => format!("`{name}`"),
            None => format!("`{name}`, which is the default,"),
        };
        let remedy = format!(
            "set proxy.primary_provider to one of those, or build the gateway with `{}`",
            self.primary.provider_type()
        );
        if !known {
            let compiled = join_names(&self.compiled);
            let message =
                format!("the provider {chosen} is not compiled into this gateway; compiled in: {compiled}");
            problems.error(place, "proxy.primary_provider", message).help(remedy);
        } else if section.is_none()
            && !name.is_local()
            && self.primary.defaults.is_empty()
            && gateway.proxy.primary_provider.is_some()
        {
            problems
                .error(
                    place,
                    "proxy.primary_provider",
                    format!("the provider {chosen} has no section [provider.{name}]"),
                )
                .help(format!("add [provider.{name}] with `api = \"https://...\"`"));
        }
    }

    /// Returns the primary provider.
    pub(crate) fn into_primary(self) -> Primary {
        self.primary
    }

    /// Returns whether the provider `name` is active; adds an error if it is not.
    pub(crate) fn check(
        &self,
        name: &ProviderName,
        place: &Place,
        key: &str,
        problems: &mut Problems,
    ) -> bool {
        if name.is_local() || *name == self.primary.name {
            return true;
        }
        let primary = &self.primary.name;
        let (reason, help) = match self.configured.get(name) {
            Some(at) => (
                format!(
                    "the provider `{name}` is configured ({at}) but not primary: proxy.primary_provider is `{primary}`, and only one remote provider is active at a time"
                ),
                format!("use local resources here, or set proxy.primary_provider = \"{name}\""),
            ),
            None if self.compiled.contains(&name.as_str()) => (
                format!("the provider `{name}` is not configured"),
                format!(
                    "add [provider.{name}] and set proxy.primary_provider = \"{name}\", or use one of the active ones: {}",
                    self.active()
                ),
            ),
            None => (
                format!(
                    "the provider `{name}` is neither configured nor compiled in; compiled in: {}",
                    join_names(&self.compiled)
                ),
                format!("use one of the active ones: {}", self.active()),
            ),
        };
        problems.error(Some(place), key, reason).help(help);
        false
    }

    /// Returns the URL of the control plane of the provider `name`; `None` for one without.
    pub(crate) fn api(&self, name: &ProviderName) -> Option<Url> {
        self.primary.api().filter(|_| !name.is_local() && *name == self.primary.name)
    }

    /// Returns the names of the active providers, for a message.
    fn active(&self) -> String {
        if self.primary.name.is_local() {
            "local".to_owned()
        } else {
            format!("local, {}", self.primary.name)
        }
    }

    /// Parses a reference; adds an error if it is malformed or its provider is not active.
    pub(crate) fn reference(
        &self,
        at: &Spanned<String>,
        key: &str,
        problems: &mut Problems,
    ) -> Option<Reference> {
        match at.value.parse::<Reference>() {
            Ok(reference) => self.check(reference.provider(), &at.place, key, problems).then_some(reference),
            Err(invalid) => {
                problems.error(Some(&at.place), key, invalid.to_string());
                None
            }
        }
    }
}

/// Rejects a section of a type that is a likely misspelling of a compiled-in one: its settings would have no effect, and the
/// type that was meant would use its defaults.
fn check_types(gateway: &GatewaySections, registry: &Registry, problems: &mut Problems) {
    for (name, section) in &gateway.providers.by_name {
        let given = section.provider_type.as_str();
        let Some(meant) = nearest(given, registry.types()).filter(|_| !registry.knows(given)) else {
            continue;
        };
        let message =
            format!("the provider type `{}` is not compiled into this gateway", given.escape_debug());
        problems
            .error(Some(&section.place), format!("provider.{name}"), message)
            .help(format!("did you mean `{meant}`?"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fragment::Fragment;
    use crate::config::test_registry::test_registry;
    use crate::diagnostics::source::Source;

    fn primary(text: &str) -> Primary {
        let source = Source::new("config.toml", format!("[proxy]\nid = \"a\"\n{text}"));
        let fragment = Fragment::gateway(&source);
        let default = "runbeam".parse().unwrap();
        Primary::of(fragment.gateway.as_deref().unwrap(), &test_registry(), &default)
    }

    fn identity(text: &str) -> String {
        primary(text).identity()
    }

    #[test]
    fn source_means_the_control_plane() {
        let one = primary("[provider.runbeam]\napi = \"https://one.example\"\n").store();
        for (text, same) in [
            ("[provider.runbeam]\napi = \"https://one.example/\"\npoll_interval_secs = 5\n", true),
            ("[provider.runbeam]\napi = \"https://two.example\"\n", false),
            ("[provider.runbeam]\ntype = \"other\"\napi = \"https://one.example\"\n", false),
        ] {
            assert_eq!(primary(text).store() == one, same, "{text}");
        }
        // A type without a URL of its own: all settings but secrets.
        let other = |more: &str| {
            primary(&format!("primary_provider = \"inbox\"\n[provider.inbox]\n{more}\n")).store()
        };
        assert_eq!(other("path = \"a\"\ntoken = \"1\""), other("path = \"a\"\ntoken = \"2\""));
        assert_ne!(other("path = \"a\""), other("path = \"b\""));
    }

    #[test]
    fn identity_means_type_and_settings() {
        let one = identity("[provider.runbeam]\napi = \"https://one.example\"\n");
        for same in [
            "[provider.runbeam]\npoll_interval_secs = 5\napi = \"https://one.example\" # moved\n",
            "[provider.runbeam]\ntype = \"runbeam\"\napi = \"https://one.example\"\n",
            "[runbeam]\nenabled = true\ncloud_api_base_url = \"https://one.example\"\n",
        ] {
            assert_eq!(identity(same), one, "{same}");
        }
        for other in [
            "[provider.runbeam]\napi = \"https://two.example\"\n",
            "[provider.runbeam]\ntype = \"other\"\napi = \"https://one.example\"\n",
            "[provider.runbeam]\napi = \"https://one.example\"\nteam = \"b\"\n",
        ] {
            assert_ne!(identity(other), one, "{other}");
        }
        assert_eq!(identity(""), identity("[provider.runbeam]\napi = \"https://api.example\"\n"));
    }

    /// Returns the primary provider and all problems of a configuration.
    fn chosen(text: &str) -> (String, Problems) {
        let fragment = Fragment::gateway(&Source::new("config.toml", format!("[proxy]\nid = \"a\"\n{text}")));
        let (registry, mut problems) = (test_registry(), Problems::default());
        let default = "runbeam".parse().unwrap();
        let active =
            ActiveProviders::of(fragment.gateway.as_deref().unwrap(), &registry, &default, &mut problems);
        (active.into_primary().name.to_string(), problems)
    }

    /// The default provider would take the place of the misspelled one, with its default address.
    #[test]
    fn misspelled_types_are_rejected() {
        for section in ["[provider.runbeem]", "[provider.runbem]", "[provider.cloud]\ntype = \"runbaem\""] {
            let (_, problems) = chosen(&format!("{section}\napi = \"https://a\"\n"));
            let errors: Vec<String> = problems.errors().map(ToString::to_string).collect();
            assert!(
                errors.len() == 1 && errors[0].contains("did you mean `runbeam`?"),
                "{section}: {errors:?}"
            );
        }
        let (_, problems) = chosen("[provider.other]\napi = \"https://a\"\n");
        assert!(!problems.refuse(), "{problems:?}");
    }

    #[test]
    fn disabled_primary_is_local() {
        for text in [
            "[provider.runbeam]\nenabled = false\n",
            "primary_provider = \"runbeam\"\n[provider.runbeam]\nenabled = false\n",
        ] {
            let (name, problems) = chosen(text);
            // The registry of this test has no `local`.
            assert!(problems.errors().all(|e| e.message.contains("not compiled")), "{problems:?}");
            assert_eq!((name.as_str(), problems.warnings().count()), ("local", 1), "{problems:?}");
        }
    }

    #[test]
    fn primary_runbeam_explicit_no_section() {
        let (name, problems) = chosen("primary_provider = \"runbeam\"\n");
        assert!(!problems.refuse(), "{problems:?}");
        assert_eq!(name, "runbeam");
        let (_, problems) = chosen("primary_provider = \"unknown\"\n");
        assert!(problems.refuse(), "a provider without defaults needs its section");
    }
}
