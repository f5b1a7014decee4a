use std::collections::BTreeMap;

use provider_api::{ProviderName, Reference, Registry};
use serde::Deserialize as _;

use crate::config::lookup::listed;
use crate::config::{GatewaySections, ProviderSection};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};
use crate::storage::digest::Digest;

/// The primary provider of a configuration.
#[derive(Clone, Debug)]
pub(crate) struct Primary {
    /// Its name.
    pub(crate) name: ProviderName,
    /// Its section; `local` has none.
    pub(crate) section: Option<ProviderSection>,
    /// Where it is chosen, when that is written.
    pub(crate) place: Option<Place>,
    /// Settings that hold when its section does not write them.
    pub(crate) defaults: &'static [(&'static str, &'static str)],
}

impl Primary {
    /// The type that builds it.
    pub(crate) fn provider_type(&self) -> &str {
        self.section.as_ref().map_or(self.name.as_str(), |section| &section.provider_type)
    }

    /// The same for two configurations whose primary provider is the same one: of the same type, with the same
    /// settings. How often it is asked makes no other one of it.
    pub(crate) fn identity(&self) -> String {
        let read = |section: &ProviderSection| {
            section.with_settings(|settings| toml::Table::deserialize(settings).unwrap_or_default())
        };
        let mut settings = self.section.as_ref().map(read).unwrap_or_default();
        for key in ["type", "poll_interval_secs"] {
            settings.remove(key);
        }
        let provider_type = self.provider_type();
        for (key, value) in self.defaults {
            settings.entry(*key).or_insert_with(|| (*value).into());
        }
        let text = serde_json::to_string(&settings).unwrap_or_default();
        format!("{:#}", Digest::of(format!("{provider_type}\n{text}").as_bytes()))
    }
}

/// Which providers a configuration may use: the one rule about remote providers, in one place.
#[derive(Debug)]
pub(crate) struct Activity {
    primary: Primary,
    configured: BTreeMap<ProviderName, Place>,
    compiled: Vec<&'static str>,
}

impl Activity {
    /// Decides which providers a configuration may use. `default` is primary where the files choose none.
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
        let written = gateway.proxy.primary_provider.as_ref();
        let name = match written {
            Some(at) => at.value.parse::<ProviderName>().unwrap_or_else(|invalid| {
                problems.error(Some(&at.place), "proxy.primary_provider", invalid.to_string());
                ProviderName::local()
            }),
            None => legacy_primary.unwrap_or_else(|| default.clone()),
        };
        let place = written.map(|at| at.place.clone());
        let mut primary = Primary { section: sections.get(&name).cloned(), name, place, defaults: &[] };
        let profile = registry.profile(primary.provider_type());
        primary.defaults = profile.map(|profile| profile.defaults).unwrap_or_default();
        let activity = Self {
            primary,
            configured: sections.into_iter().map(|(name, section)| (name, section.place)).collect(),
            compiled: registry.types().collect(),
        };
        activity.check_primary(gateway, registry, problems);
        activity
    }

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
            let compiled = listed(&self.compiled);
            let message =
                format!("the provider {chosen} is not compiled into this gateway; compiled in: {compiled}");
            problems.error(place, "proxy.primary_provider", message).help(remedy);
        } else if section.is_none() && !name.is_local() && gateway.proxy.primary_provider.is_some() {
            problems
                .error(
                    place,
                    "proxy.primary_provider",
                    format!("the provider {chosen} has no section [provider.{name}]"),
                )
                .help(format!("add [provider.{name}] with `api = \"https://...\"`"));
        }
    }

    pub(crate) fn into_primary(self) -> Primary {
        self.primary
    }

    /// Adds an error when `name` is not a provider that this configuration uses.
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
                    listed(&self.compiled)
                ),
                format!("use one of the active ones: {}", self.active()),
            ),
        };
        problems.error(Some(place), key, reason).help(help);
        false
    }

    fn active(&self) -> String {
        if self.primary.name.is_local() {
            "local".to_owned()
        } else {
            format!("local, {}", self.primary.name)
        }
    }

    /// The reference that `at` writes, when it is well formed and its provider is active.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fragment::Fragment;
    use crate::config::test_registry::test_registry;
    use crate::diagnostics::source::Source;

    fn identity(text: &str) -> String {
        let source = Source::new("config.toml", format!("[proxy]\nid = \"a\"\n{text}"));
        let fragment = Fragment::gateway(&source);
        let default = "runbeam".parse().unwrap();
        let (registry, mut problems) = (test_registry(), Problems::default());
        Activity::of(fragment.gateway.as_ref().unwrap(), &registry, &default, &mut problems)
            .primary
            .identity()
    }

    #[test]
    fn identity_is_of_the_control_plane() {
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
}
