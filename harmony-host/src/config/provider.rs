use std::collections::BTreeMap;
use std::sync::Arc;

use provider_api::ProviderName;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::config::activity::DEFAULT_API;
use crate::config::section::Section;
use crate::problem::Problems;
use crate::source::{At, Place, Source};

/// All `[provider.*]`, and the legacy `[runbeam]` as if it were written that way.
#[derive(Clone, Debug, Default)]
pub struct ProviderSections {
    /// By name.
    pub by_name: BTreeMap<ProviderName, ProviderSection>,
    /// The primary provider that the legacy form implies.
    pub legacy_primary: Option<ProviderName>,
}

/// `[provider.<name>]`: a place that configuration and resources come from.
#[derive(Clone, Debug)]
pub struct ProviderSection {
    /// Where it was written.
    pub place: Place,
    /// The type that builds it: `type`, or else its name.
    pub provider_type: String,
    /// `poll_interval_secs`; 30 unless configured, 0 for manual sync.
    pub poll_interval_secs: u64,
    settings: Settings,
}

#[derive(Clone, Debug)]
enum Settings {
    /// The table `provider.<name>` of a file.
    Written { source: Arc<Source>, name: String },
    /// TOML text made from another form.
    Translated(String),
}

pub(crate) const DEFAULT_INTERVAL_SECS: u64 = 30;

impl ProviderSections {
    pub(crate) fn read(root: &Section<'_>, source: &Arc<Source>, problems: &mut Problems) -> Self {
        let mut read = Self::default();
        for (name, section) in root.named("provider", problems) {
            match name.parse::<ProviderName>() {
                Ok(parsed) if parsed.is_local() => problems
                    .warn(
                        Some(section.place()),
                        section.path(),
                        "`local` is always there and has no settings",
                    )
                    .help("delete this section"),
                Ok(parsed) => {
                    read.by_name.insert(parsed, ProviderSection::read(&name, &section, source, problems));
                }
                Err(invalid) => {
                    problems.error(Some(section.place()), section.path(), invalid.to_string());
                }
            }
        }
        read.legacy(root, problems);
        read
    }

    /// `[runbeam] enabled, cloud_api_base_url, poll_interval_secs`
    fn legacy(&mut self, root: &Section<'_>, problems: &mut Problems) {
        let Some(section) = root.section("runbeam", problems) else { return };
        let Ok(runbeam) = "runbeam".parse::<ProviderName>() else { return };
        if let Some(current) = self.by_name.get(&runbeam) {
            let message = format!(
                "[runbeam] is the old form of [provider.runbeam], which is there at {}",
                current.place
            );
            problems.error(Some(section.place()), "runbeam", message).help("delete the section [runbeam]");
            return;
        }
        problems
            .warn(Some(section.place()), "runbeam", "this section is deprecated")
            .help("write [provider.runbeam] with `api` and `poll_interval_secs`, and proxy.primary_provider = \"runbeam\"");
        let enabled = section.flag("enabled", problems).is_some_and(|flag| flag.value);
        let api = section.text("cloud_api_base_url", problems);
        let interval = section.integer("poll_interval_secs", 0..=3600, problems);
        section.finish(problems);
        self.legacy_primary = Some(if enabled { runbeam.clone() } else { ProviderName::local() });
        let api = api.map_or_else(|| DEFAULT_API.to_owned(), |at| at.value);
        let section = ProviderSection {
            place: section.place().clone(),
            provider_type: "runbeam".to_owned(),
            poll_interval_secs: interval.map_or(DEFAULT_INTERVAL_SECS, |at| at.value),
            settings: Settings::Translated(format!("api = {}", toml_string(&api))),
        };
        self.by_name.insert(runbeam, section);
    }
}

/// A basic string of TOML (1.0.0, section String).
fn toml_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl ProviderSection {
    fn read(name: &str, section: &Section<'_>, source: &Arc<Source>, problems: &mut Problems) -> Self {
        let provider_type = section.text("type", problems).map_or_else(|| name.to_owned(), |at| at.value);
        let interval = section.integer("poll_interval_secs", 0..=3600, problems);
        section.finish(problems);
        Self {
            place: section.place().clone(),
            provider_type,
            poll_interval_secs: interval.map_or(DEFAULT_INTERVAL_SECS, |at: At<u64>| at.value),
            settings: Settings::Written { source: Arc::clone(source), name: name.to_owned() },
        }
    }

    /// Hands the section's keys to `use_them`.
    pub(crate) fn with_settings<R>(&self, use_them: impl FnOnce(ValueDeserializer<'_>) -> R) -> R {
        match &self.settings {
            Settings::Written { source, name } => {
                let (root, _) = DeTable::parse_recoverable(source.text());
                let table = root.get_ref().get("provider").and_then(|p| p.get_ref().get(name.as_str()));
                match table {
                    Some(table) => use_them(ValueDeserializer::from(table.clone())),
                    None => with_no_settings(use_them),
                }
            }
            Settings::Translated(text) => {
                let (root, _) = DeTable::parse_recoverable(text);
                let span = root.span();
                use_them(ValueDeserializer::from(Spanned::new(span, DeValue::Table(root.into_inner()))))
            }
        }
    }

    /// The place in the file that a span from decoding the settings means.
    pub(crate) fn place_of(&self, span: Option<std::ops::Range<usize>>) -> Place {
        match (&self.settings, span) {
            (Settings::Written { source, .. }, Some(span)) => Place::new(source, span),
            _ => self.place.clone(),
        }
    }
}

/// A provider that needs no section has empty settings.
pub(crate) fn with_no_settings<R>(use_them: impl FnOnce(ValueDeserializer<'_>) -> R) -> R {
    use_them(ValueDeserializer::from(Spanned::new(0..0, DeValue::Table(DeTable::new()))))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;

    use super::*;

    #[test]
    fn any_text_becomes_a_toml_string() {
        for text in ["plain", "a\"b\\c", "line\nbreak", "é\u{7f}"] {
            let written = format!("k = {}", toml_string(text));
            let table: toml::Table = toml::from_str(&written).unwrap();
            assert_eq!(table["k"].as_str(), Some(text));
        }
    }

    fn read(text: &str) -> (ProviderSections, Problems) {
        let source = Source::new("config.toml", text);
        let (document, _) = DeTable::parse_recoverable(source.text());
        let mut problems = Problems::default();
        let root = Section::root(&source, document.get_ref());
        (ProviderSections::read(&root, &source, &mut problems), problems)
    }

    #[test]
    fn the_old_form_is_accepted_with_a_warning_and_means_the_same() {
        let legacy = "[runbeam]\nenabled = true\ncloud_api_base_url = \"https://cloud.example\"\npoll_interval_secs = 60\n";
        let (sections, problems) = read(legacy);
        assert!(!problems.refuse());
        assert_eq!(problems.warnings().count(), 1);
        assert_eq!(sections.legacy_primary.as_ref().map(ProviderName::as_str), Some("runbeam"));
        let section = sections.by_name.values().next().unwrap();
        assert_eq!(section.poll_interval_secs, 60);
        let settings = section.with_settings(|settings| toml::Table::deserialize(settings).unwrap());
        assert_eq!(settings["api"].as_str(), Some("https://cloud.example"));
        assert_eq!(read("[runbeam]\nenabled = false\n").0.legacy_primary, Some(ProviderName::local()));
    }

    #[test]
    fn both_forms_at_once_are_refused_with_the_one_to_delete() {
        let (_, problems) = read("[provider.runbeam]\napi = \"https://a\"\n[runbeam]\nenabled = true\n");
        let errors: Vec<String> = problems.errors().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].starts_with("config.toml:3: runbeam:"), "{errors:?}");
        assert!(
            errors[0].contains("config.toml:1") && errors[0].contains("delete the section [runbeam]"),
            "{errors:?}"
        );
    }
}
