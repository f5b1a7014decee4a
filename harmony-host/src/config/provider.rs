//! The sections `[provider.*]` and their legacy forms.

use std::collections::BTreeMap;
use std::sync::Arc;

use provider_api::{LegacySection, ProviderName, Registry};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml_edit::{Table, value};

use crate::config::keys::meant_of;
use crate::config::section::Section;
use crate::config::variables;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Source};

/// All sections `[provider.*]`.
#[derive(Clone, Debug)]
pub(crate) struct ProviderSections {
    /// The sections by name.
    pub(crate) by_name: BTreeMap<ProviderName, ProviderSection>,
    source: Arc<Source>,
}

/// A deprecated section that configured a provider type before `[provider.<name>]` existed.
#[derive(Debug)]
pub(crate) struct LegacyProvider {
    /// The primary provider that the section chooses.
    pub(crate) primary: ProviderName,
    /// The name of the provider that the section configures.
    pub(crate) name: ProviderName,
    /// The section, translated to the form of `[provider.<name>]`.
    pub(crate) section: ProviderSection,
}

/// `[provider.<name>]`: a source of configuration and resources.
#[derive(Clone, Debug)]
pub(crate) struct ProviderSection {
    /// The place of the definition.
    pub(crate) place: Place,
    /// The provider type: the value of `type`, or the name if `type` is absent.
    pub(crate) provider_type: String,
    /// The value of `enabled`, `true` unless configured.
    pub(crate) enabled: bool,
    settings: Settings,
}

/// The source of the settings of a provider.
#[derive(Clone, Debug)]
enum Settings {
    /// The table `provider.<name>` of a file.
    InFile { source: Arc<Source>, name: String },
    /// TOML text translated from a legacy section, and the keys of that section: the name in the text, the dotted name in
    /// the file, and the place there.
    Translated { text: String, keys: Vec<(&'static str, String, Place)> },
}

/// The default poll interval, in seconds.
pub(crate) const DEFAULT_INTERVAL_SECS: u64 = 30;

/// The default primary provider.
pub(crate) const DEFAULT_PRIMARY: &str = "runbeam";

/// The key of the poll interval.
const INTERVAL: &str = "poll_interval_secs";
/// The allowed poll intervals, in seconds.
const INTERVALS: std::ops::RangeInclusive<u64> = 0..=3600;

impl ProviderSections {
    pub(crate) fn read(root: &Section<'_>, source: &Arc<Source>, problems: &mut Problems) -> Self {
        let mut read = Self { by_name: BTreeMap::new(), source: Arc::clone(source) };
        for (name, section) in root.named("provider", problems) {
            match name.parse::<ProviderName>() {
                Ok(parsed) if parsed.is_local() => problems
                    .warn(Some(section.place()), section.path(), "`local` is built in and has no settings")
                    .help("delete this section"),
                Ok(parsed) => {
                    read.by_name.insert(parsed, ProviderSection::read(&name, &section, source, problems));
                }
                Err(invalid) => {
                    problems.error(Some(section.place()), section.path(), invalid.to_string());
                }
            }
        }
        read
    }

    /// Returns the translated legacy section of a compiled-in type, if the configuration has one.
    pub(crate) fn legacy(&self, registry: &Registry, problems: &mut Problems) -> Option<LegacyProvider> {
        let document = variables::document(&self.source);
        let root = Section::root(&self.source, document.get_ref());
        registry.types().find_map(|provider_type| {
            let legacy = registry.profile(provider_type)?.legacy?;
            self.legacy_of(provider_type, &legacy, &root, problems)
        })
    }

    fn legacy_of(
        &self,
        provider_type: &str,
        legacy: &LegacySection,
        root: &Section<'_>,
        problems: &mut Problems,
    ) -> Option<LegacyProvider> {
        let section = root.section(legacy.name, problems)?;
        let name = provider_type.parse::<ProviderName>().ok()?;
        let old = legacy.name;
        if let Some(current) = self.by_name.get(&name) {
            let message = format!(
                "[{old}] is the old form of [provider.{name}], which is defined at {}",
                current.place
            );
            let entry = problems.error(Some(section.place()), old, message);
            entry.help(format!("delete the section [{old}]"));
            return None;
        }
        let keys: Vec<String> = legacy.keys.iter().map(|(_, new)| format!("`{new}`")).collect();
        problems.warn(Some(section.place()), old, "this section is deprecated").help(format!(
            "write [provider.{name}] with {}, and proxy.primary_provider = \"{name}\"",
            keys.join(" and ")
        ));
        check_legacy_keys(&section, legacy, problems);
        let enabled = section.flag("enabled", problems).is_some_and(|flag| flag.value);
        let (mut settings, mut interval, mut written) = (Table::new(), None, Vec::new());
        for (old, new) in legacy.keys {
            written.extend(section.value_place(old).map(|place| (*new, section.key(old), place)));
            if *new == INTERVAL {
                interval = section.integer(old, INTERVALS, problems).map(|at| at.value);
            } else if let Some(text) = section.text(old, problems) {
                settings.insert(new, value(text.value));
            }
        }
        let interval = interval.unwrap_or(DEFAULT_INTERVAL_SECS);
        settings.insert(INTERVAL, value(interval.cast_signed()));
        let translated = ProviderSection {
            place: section.place().clone(),
            provider_type: provider_type.to_owned(),
            enabled: true,
            settings: Settings::Translated { text: settings.to_string(), keys: written },
        };
        let primary = if enabled { name.clone() } else { ProviderName::local() };
        Some(LegacyProvider { primary, name, section: translated })
    }
}

/// Rejects every key that a legacy section does not have. The section is not developed further, so that none is a key of a
/// newer gateway.
fn check_legacy_keys(section: &Section<'_>, legacy: &LegacySection, problems: &mut Problems) {
    let known: Vec<&str> = legacy.keys.iter().map(|(old, _)| *old).chain(["enabled"]).collect();
    for name in section.names().filter(|name| !known.contains(name)) {
        let renamed = legacy.keys.iter().find(|(_, new)| *new == name).map(|(old, _)| *old);
        let help = match renamed.or_else(|| meant_of(name, &known)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known keys: {}", known.join(", ")),
        };
        let place = section.place_of(name);
        problems.error(place.as_ref(), section.key(name), "this key is not known").help(help);
    }
}

impl ProviderSection {
    fn read(name: &str, section: &Section<'_>, source: &Arc<Source>, problems: &mut Problems) -> Self {
        let provider_type = section.text("type", problems).map_or_else(|| name.to_owned(), |at| at.value);
        // The provider reads it; the host checks it.
        section.integer(INTERVAL, INTERVALS, problems);
        Self {
            place: section.place().clone(),
            provider_type,
            enabled: section.flag("enabled", problems).is_none_or(|flag| flag.value),
            settings: Settings::InFile { source: Arc::clone(source), name: name.to_owned() },
        }
    }

    /// Calls `decode` with a deserializer of the settings.
    pub(crate) fn with_settings<R>(&self, decode: impl FnOnce(ValueDeserializer<'_>) -> R) -> R {
        match &self.settings {
            Settings::InFile { source, name } => {
                let root = variables::document(source);
                let table = root.get_ref().get("provider").and_then(|p| p.get_ref().get(name.as_str()));
                match table {
                    Some(table) => decode(ValueDeserializer::from(table.clone())),
                    None => with_no_settings(decode),
                }
            }
            Settings::Translated { text, .. } => {
                let (root, _) = DeTable::parse_recoverable(text);
                let span = root.span();
                decode(ValueDeserializer::from(Spanned::new(span, DeValue::Table(root.into_inner()))))
            }
        }
    }

    /// Returns the key and the place in the file of `key`, a dotted path such as `provider.runbeam.api`, if a legacy
    /// section has it under another name.
    pub(crate) fn written(&self, provider: &ProviderName, key: &str) -> Option<(String, Place)> {
        let Settings::Translated { keys, .. } = &self.settings else { return None };
        let own = key.strip_prefix("provider.")?.strip_prefix(provider.as_str())?.strip_prefix('.')?;
        let (_, written, place) = keys.iter().find(|(new, _, _)| *new == own)?;
        Some((written.clone(), place.clone()))
    }

    /// Returns the key of the settings whose value has this span.
    pub(crate) fn key_at(&self, span: &std::ops::Range<usize>) -> Option<String> {
        let Settings::InFile { source, name } = &self.settings else { return None };
        let root = variables::document(source);
        let table = root.get_ref().get("provider")?.get_ref().get(name.as_str())?.get_ref().as_table()?;
        let (key, _) = table.iter().find(|(_, value)| value.span() == *span)?;
        Some(key.get_ref().to_string())
    }

    /// Converts a span from decoding the settings to a place in the file. Translated text has no places, so there it is
    /// the place of the section.
    pub(crate) fn place_of(&self, span: Option<std::ops::Range<usize>>) -> Place {
        match (&self.settings, span) {
            (Settings::InFile { source, .. }, Some(span)) => Place::new(source, span),
            _ => self.place.clone(),
        }
    }
}

/// Calls `decode` with empty settings, for a provider without a section.
pub(crate) fn with_no_settings<R>(decode: impl FnOnce(ValueDeserializer<'_>) -> R) -> R {
    decode(ValueDeserializer::from(Spanned::new(0..0, DeValue::Table(DeTable::new()))))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;

    use super::*;
    use crate::config::test_registry::test_registry;

    fn read(text: &str) -> (ProviderSections, Option<LegacyProvider>, Problems) {
        let source = Source::new("config.toml", text);
        let (document, _) = DeTable::parse_recoverable(source.text());
        let mut problems = Problems::default();
        let root = Section::root(&source, document.get_ref());
        let sections = ProviderSections::read(&root, &source, &mut problems);
        let legacy = sections.legacy(&test_registry(), &mut problems);
        (sections, legacy, problems)
    }

    #[test]
    fn legacy_section_is_translated() {
        let text = "[runbeam]\nenabled = true\ncloud_api_base_url = \"https://cloud.example/\\\"\"\npoll_interval_secs = 0\n";
        let (_, legacy, problems) = read(text);
        assert!(!problems.refuse());
        assert_eq!(problems.warnings().count(), 1);
        let legacy = legacy.unwrap();
        assert_eq!(legacy.primary.as_str(), "runbeam");
        let settings = legacy.section.with_settings(|settings| toml::Table::deserialize(settings).unwrap());
        assert_eq!(settings["api"].as_str(), Some("https://cloud.example/\""));
        assert_eq!(
            settings["poll_interval_secs"].as_integer(),
            Some(0),
            "the translated settings keep the interval"
        );
        let (_, disabled, _) = read("[runbeam]\nenabled = false\n");
        assert_eq!(disabled.map(|legacy| legacy.primary), Some(ProviderName::local()));
    }

    /// The address of a legacy section under another name would be the default one.
    #[test]
    fn unknown_keys_of_a_legacy_section_are_rejected() {
        for (line, meant) in [
            ("cloud_api_base_ur = \"https://a\"", "`cloud_api_base_url`"),
            ("CLOUD_API_BASE_URL = \"https://a\"", "`cloud_api_base_url`"),
            ("api = \"https://a\"", "`cloud_api_base_url`"),
            ("api_url = \"https://a\"", "`cloud_api_base_url`"),
            ("enabld = false", "`enabled`"),
            ("team = 1", "known keys: cloud_api_base_url"),
        ] {
            let (_, _, problems) = read(&format!("[runbeam]\nenabled = true\n{line}\n"));
            let errors: Vec<String> = problems.errors().map(ToString::to_string).collect();
            assert!(
                errors.len() == 1 && errors[0].starts_with("config.toml:3: runbeam."),
                "{line}: {errors:?}"
            );
            assert!(errors[0].contains(meant), "{line}: {errors:?}");
        }
    }

    #[test]
    fn both_forms_are_refused() {
        let (_, legacy, problems) =
            read("[provider.runbeam]\napi = \"https://a\"\n[runbeam]\nenabled = true\n");
        assert!(legacy.is_none());
        let errors: Vec<String> = problems.errors().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].starts_with("config.toml:3: runbeam:"), "{errors:?}");
        assert!(
            errors[0].contains("config.toml:1") && errors[0].contains("delete the section [runbeam]"),
            "{errors:?}"
        );
    }
}
