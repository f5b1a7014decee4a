//! The `[provider.<name>]` section that the host adds to config.toml.

use std::io;
use std::sync::Arc;

use toml_edit::{DocumentMut, Item, Table, value};

use crate::config::DEFAULT_INTERVAL_SECS;
use crate::documents::editable;
use crate::documents::overlay::read_only;
use crate::snapshot::Snapshot;
use crate::storage::{atomic_file, io_error};

/// Writes `[provider.<name>]` to config.toml if the section is missing and the gateway uses the defaults of its primary
/// provider, so that the file shows the settings in use. Keeps comments and layout. Returns whether it wrote the file: it
/// leaves one alone that is read-only or in the overlay.
///
/// # Errors
/// The error of the operating system; the file is then unchanged.
pub(crate) async fn write_missing(snapshot: &Arc<Snapshot>) -> io::Result<bool> {
    let primary = &snapshot.config.primary;
    if primary.section.is_some() || primary.defaults.is_empty() {
        return Ok(false);
    }
    let (name, defaults) = (primary.name.to_string(), primary.defaults);
    let path = snapshot.documents.config_path().to_owned();
    let file = path.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
    // The section repeats what holds without it. In the overlay it would only hide the operator's file, and in the base it
    // would count as an edit of that.
    if snapshot.documents.overlay(&file).is_some() || read_only(&path).is_some() {
        return Ok(false);
    }
    let work = move || {
        let at = io_error::at(&path);
        let text = std::fs::read_to_string(&path).map_err(&at)?;
        match with_section(&text, &name, defaults).map_err(io::Error::other)? {
            Some(text) => atomic_file::write(&path, text.as_bytes(), 0o600).map_err(at).map(|()| true),
            None => Ok(false),
        }
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
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
