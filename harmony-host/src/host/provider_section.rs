//! The `[provider.<name>]` section that the host adds to config.toml.

use std::io;

use toml_edit::{DocumentMut, Item, Table, value};

use crate::apply::ConfigEdit;
use crate::config::DEFAULT_INTERVAL_SECS;
use crate::documents::editable;
use crate::documents::overlay::read_only;
use crate::snapshot::Snapshot;

/// Returns the edit that adds `[provider.<name>]` to config.toml, if the section is missing and the gateway uses the
/// defaults of its primary provider: the file then shows the settings in use. It keeps comments and layout. `None` if there
/// is nothing to add, or if the file is read-only or in the overlay.
pub(super) fn missing(snapshot: &Snapshot) -> Option<ConfigEdit> {
    let primary = &snapshot.config.primary;
    if primary.section.is_some() || primary.defaults.is_empty() {
        return None;
    }
    let (name, defaults) = (primary.name.to_string(), primary.defaults);
    let path = snapshot.documents.config_path();
    let file = path.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
    // The section repeats what holds without it. In the overlay it would only hide the operator's file, and in the base it
    // would count as an edit of that.
    if snapshot.documents.overlay(&file).is_some() || read_only(path).is_some() {
        return None;
    }
    Some(Box::new(move |text| with_section(text, &name, defaults).map_err(io::Error::other)))
}

/// Returns the text with the section, or `None` if it has the section already.
fn with_section(
    text: &str,
    name: &str,
    defaults: &[(&str, &str)],
) -> Result<Option<String>, toml_edit::TomlError> {
    let mut document: DocumentMut = editable::parse(text)?;
    let providers = document.entry("provider").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let Some(providers) = providers.as_table_like_mut().filter(|all| !all.contains_key(name)) else {
        return Ok(None);
    };
    let mut section = Table::new();
    for (key, default) in defaults {
        section.insert(key, value(*default));
    }
    section.insert("poll_interval_secs", value(DEFAULT_INTERVAL_SECS.cast_signed()));
    section.decor_mut().set_prefix("\n");
    providers.insert(name, Item::Table(section));
    Ok(Some(editable::text_of(&document)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: [(&str, &str); 1] = [("api", "https://api.example")];

    #[test]
    fn section_is_added() {
        let text = "# mine\n[proxy]\nid   = \"a\" # odd layout\n";
        let written = with_section(text, "runbeam", &DEFAULTS).unwrap().unwrap();
        assert!(written.starts_with(text), "everything else stays as it is written: {written}");
        assert_eq!(
            &written[text.len()..],
            "\n[provider.runbeam]\napi = \"https://api.example\"\npoll_interval_secs = 30\n"
        );
    }

    #[test]
    fn existing_section_stays() {
        let text = "[provider.runbeam]\napi = \"https://a\"\n";
        assert_eq!(with_section(text, "runbeam", &DEFAULTS).unwrap(), None);
    }
}
