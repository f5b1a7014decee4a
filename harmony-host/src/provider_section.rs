use std::io;
use std::sync::Arc;

use toml_edit::{DocumentMut, Item, Table, value};

use crate::atomic_file;
use crate::config::{DEFAULT_API, DEFAULT_INTERVAL_SECS, DEFAULT_PRIMARY};
use crate::snapshot::Snapshot;

/// Writes `[provider.runbeam]` into config.toml when the gateway runs on it without having it: then its file
/// says what it does. Comments and layout stay. Says whether it wrote.
///
/// # Errors
/// What the operating system says; the file is then what it was.
pub(crate) async fn write_missing(snapshot: &Arc<Snapshot>) -> io::Result<bool> {
    let primary = &snapshot.config.primary;
    if primary.section.is_some() || primary.name.as_str() != DEFAULT_PRIMARY {
        return Ok(false);
    }
    let path = snapshot.documents.config_path().to_owned();
    let work = move || {
        let text = std::fs::read_to_string(&path)?;
        match with_section(&text).map_err(io::Error::other)? {
            Some(text) => atomic_file::write(&path, text.as_bytes(), 0o644).map(|()| true),
            None => Ok(false),
        }
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// `None` when there is a section already, in its old form or its new one.
fn with_section(text: &str) -> Result<Option<String>, toml_edit::TomlError> {
    let mut document: DocumentMut = text.parse()?;
    if document.contains_key("runbeam") {
        return Ok(None);
    }
    let providers = document.entry("provider").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let Some(providers) = providers.as_table_like_mut().filter(|all| !all.contains_key(DEFAULT_PRIMARY))
    else {
        return Ok(None);
    };
    let mut section = Table::new();
    section.insert("api", value(DEFAULT_API));
    section.insert("poll_interval_secs", value(DEFAULT_INTERVAL_SECS.cast_signed()));
    section.decor_mut().set_prefix("\n");
    providers.insert(DEFAULT_PRIMARY, Item::Table(section));
    Ok(Some(document.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_is_added_and_everything_else_stays_as_it_is_written() {
        let text = "# mine\n[proxy]\nid   = \"a\" # odd layout\n";
        let written = with_section(text).unwrap().unwrap();
        assert!(written.starts_with(text), "{written}");
        assert_eq!(
            &written[text.len()..],
            "\n[provider.runbeam]\napi = \"https://api.runbeam.cloud\"\npoll_interval_secs = 30\n"
        );
    }

    #[test]
    fn a_section_that_is_there_is_left_alone() {
        for text in ["[provider.runbeam]\napi = \"https://a\"\n", "[runbeam]\nenabled = true\n"] {
            assert_eq!(with_section(text).unwrap(), None);
        }
    }
}
