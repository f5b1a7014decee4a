//! A key of a provider's section that the table of keys does not have.

use provider_api::{Registry, SettingsProfile};

use crate::config::keys::meant::{Meant, meant_of};
use crate::config::keys::resemblance::is_of_security;
use crate::config::keys::sections::SECTIONS;

/// A key of a section `[provider.<name>]` that only its type can know.
#[derive(Clone, Debug)]
pub(crate) struct ProviderKey {
    /// The provider type.
    pub(crate) provider_type: String,
    /// The name of the key.
    pub(crate) key: String,
    /// The names of all keys of the section.
    pub(crate) beside: Vec<String>,
}

impl ProviderKey {
    /// Returns whether the provider type has the key.
    pub(crate) fn is_known(&self, registry: &Registry) -> bool {
        self.told(registry).is_some_and(|(_, keys)| keys.contains(&self.key.as_str()))
    }

    /// Returns the help for a key that the provider type does not have. `None` if it has the key, or tells no keys.
    pub(crate) fn meant(&self, registry: &Registry) -> Option<Meant> {
        let (profile, keys) = self.told(registry).filter(|_| !self.is_known(registry))?;
        let own = SECTIONS.iter().filter(|section| section.path == "provider.*").flat_map(|own| own.keys);
        let mut names: Vec<&str> = keys.iter().copied().chain(own.map(|key| key.name)).collect();
        names.dedup();
        let meant = meant_of(&self.key, &names);
        // Without the address the provider uses its default one, which gets the credential.
        let address = profile.address_key.filter(|address| !self.beside.iter().any(|key| key == address));
        let guards = meant.is_some() || address.is_some() || is_of_security(&self.key);
        let help = match (meant, address) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, Some(address)) => format!("did you mean `{address}`? Known keys: {}", names.join(", ")),
            (None, None) => format!("known keys: {}", names.join(", ")),
        };
        Some(Meant { help, guards })
    }

    /// Returns the profile and the keys of a provider type that tells its keys.
    fn told(&self, registry: &Registry) -> Option<(SettingsProfile, &'static [&'static str])> {
        let profile = registry.profile(&self.provider_type)?;
        Some((profile, profile.keys?))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::capabilities::Capabilities;
    use crate::config::keys::check;
    use crate::config::test_registry::test_registry;
    use crate::diagnostics::problem::Problems;
    use crate::diagnostics::source::Source;

    /// Returns the errors of a section, with and without unknown keys allowed.
    fn errors(text: &str) -> [Vec<String>; 2] {
        let source = Source::new("config.toml", text);
        let (document, _) = toml::de::DeTable::parse_recoverable(source.toml());
        [false, true].map(|allow| {
            let mut problems = Problems::default();
            for unknown in check(&source, document.get_ref(), &[], &mut problems) {
                unknown.report(allow, &Capabilities::new(), &test_registry(), &mut problems);
            }
            problems.errors().map(ToString::to_string).collect()
        })
    }

    /// A key that its type does not have is never ignored: the address would be the default one.
    #[test]
    fn keys_that_a_type_does_not_have_are_rejected() {
        for section in ["[provider.runbeam]\n", "[provider.cloud]\ntype = \"runbeam\"\n"] {
            for key in
                ["API", "apii", "ap", "\"api \"", "aip", "api_url", "url", "the_api", "base", "\"a.b\""]
            {
                for errors in errors(&format!("{section}{key} = \"http://127.0.0.1:9\"\n")) {
                    assert!(
                        errors.len() == 1 && errors[0].contains("did you mean `api`?"),
                        "{key}: {errors:?}"
                    );
                }
            }
            for (key, meant) in [("tem", "team"), ("enabld", "enabled"), ("alow_insecure", "allow_insecure")]
            {
                for errors in errors(&format!("{section}api = \"https://a\"\n{key} = true\n")) {
                    assert!(
                        errors.len() == 1 && errors[0].contains(&format!("`{meant}`")),
                        "{key}: {errors:?}"
                    );
                }
            }
            let [strict, allowed] = errors(&format!("{section}api = \"https://a\"\ncolour = 1\n"));
            assert!(strict.len() == 1 && strict[0].contains("known keys: api, team"), "{strict:?}");
            assert_eq!(allowed, [""; 0], "a key of a newer gateway");
            let known = "api = \"https://a\"\nteam = \"t\"\nenabled = true\npoll_interval_secs = 1\n";
            assert_eq!(errors(&format!("{section}{known}")), [Vec::<String>::new(), Vec::new()]);
        }
    }

    /// A type that tells no keys takes any, but no other spelling of a key of this host.
    #[test]
    fn a_type_that_tells_no_keys_takes_any() {
        let section = "[provider.mine]\n";
        for key in ["ap", "apis", "url", "token", "mode", "x.y.z"] {
            assert_eq!(
                errors(&format!("{section}{key} = \"x\"\n")),
                [Vec::<String>::new(), Vec::new()],
                "{key}"
            );
        }
        for key in ["API", "Enabled", "enabld", "\"api \"", "POLL_INTERVAL_SECS", "force_https", "peer_ref"] {
            for errors in errors(&format!("{section}{key} = \"x\"\n")) {
                assert_eq!(errors.len(), 1, "{key}: {errors:?}");
            }
        }
    }
}
