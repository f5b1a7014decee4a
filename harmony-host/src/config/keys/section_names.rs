//! The names of top-level sections that are probably meant to be sections of this host.

use toml::de::{DeTable, DeValue};

use crate::config::keys::sections::FOREIGN;
use crate::config::keys::spelling::nearest;

/// The depth to which an unknown section is searched for sections of this host.
const MAX_DEPTH: usize = 8;

/// Returns the help for an unknown section that is probably one of this host's: its name is a likely misspelling of one of
/// `tops` or of Harmony, or begins with one in quotes, or its content is that of such a section. `None` for a section of
/// others.
pub(super) fn meant(text: &str, value: &DeValue<'_>, tops: &[&str]) -> Option<String> {
    let first = text.split('.').next().unwrap_or(text).trim().to_ascii_lowercase();
    // Short words are near each other: `users` is no mistake of `peers`.
    let is_near = |meant: &&str| match meant.len() {
        0..=3 => false,
        4..=5 => strsim::damerau_levenshtein(&first, meant) <= 1,
        _ => true,
    };
    match nearest(&first, tops.iter().chain(FOREIGN).copied()).filter(is_near) {
        Some(meant) if text.contains('.') => Some(format!("did you mean [{meant}. ...], without quotes?")),
        Some(meant) => Some(format!("did you mean [{meant}]?")),
        None => {
            let home = typed(value).or_else(|| inner_section(value, tops, MAX_DEPTH))?;
            Some(format!("its content is that of a section of [{home}]: did you mean one?"))
        }
    }
}

/// Returns the help for a section of Harmony with a section of this host inside. `None` without one.
pub(super) fn inside(value: &DeValue<'_>, tops: &[&str]) -> Option<String> {
    let home = inner_section(value, tops, MAX_DEPTH)?;
    Some(format!("its content is that of a section of [{home}]: write that at the top of the file"))
}

/// Returns the section to which a table with a type or service, and with options, belongs.
fn typed(value: &DeValue<'_>) -> Option<&'static str> {
    let table = value.as_table()?;
    let has_text = |key: &str| table.get(key).is_some_and(|value| value.get_ref().is_str());
    let options = table.get("options").is_some_and(|value| value.get_ref().is_table());
    let typed = [("type", "middleware"), ("service", "endpoints] or [backends")];
    typed.into_iter().find(|(key, _)| options && has_text(key)).map(|(_, home)| home)
}

/// Returns the home of the first section below `value` that only this host has: an ingress or egress of a mesh, or a table with
/// the name of a section of the table of keys. `None` for a section that belongs to others.
fn inner_section<'k>(value: &DeValue<'_>, tops: &[&'k str], depth: usize) -> Option<&'k str> {
    let table = value.as_table()?;
    for (name, value) in table {
        let text: &str = name.get_ref();
        let inner = value.get_ref().as_table();
        let of_mesh = |mesh: &DeTable<'_>| mesh.contains_key("ingress") || mesh.contains_key("egress");
        if text == "mesh" && inner.is_some_and(of_mesh) {
            return tops.iter().copied().find(|top| *top == "pipelines");
        }
        let named = |inner: &DeTable<'_>| inner.iter().any(|(_, value)| value.get_ref().is_table());
        if inner.is_some_and(named)
            && let Some(top) = tops.iter().find(|top| **top == text)
        {
            return Some(top);
        }
        if depth > 0
            && let Some(found) = inner_section(value.get_ref(), tops, depth - 1)
        {
            return Some(found);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::config::keys::check::check;
    use crate::diagnostics::problem::Problems;
    use crate::diagnostics::source::Source;

    use super::*;

    fn unknown(text: &str) -> Vec<String> {
        let source = Source::new("config.toml", text);
        let (document, _) = DeTable::parse_recoverable(source.toml());
        let unknown = check(&source, document.get_ref(), &[], &mut Problems::default());
        unknown.iter().map(|unknown| unknown.problem.to_string()).collect()
    }

    /// Sections of this host under a name that is far from the known ones.
    #[test]
    fn sections_elsewhere_are_found() {
        for (section, meant) in [
            ("PIPELINES.p.mesh.ingress.i", "[pipelines]"),
            ("Network.n.http", "[network]"),
            ("\"pipelines.p.mesh.ingress.i\"", "without quotes"),
            ("\"network.n\"", "without quotes"),
            ("p.mesh.ingress.i", "[pipelines]"),
            ("x.pipelines.p", "[pipelines]"),
            ("senilepip.p.mesh.egress.e", "[pipelines]"),
            ("MANAGEMENT", "[management]"),
            ("AUTHENTICATIONS.a", "[authentications]"),
            ("mesh_auth", "[middleware]"),
        ] {
            let unknown = unknown(&format!(
                "[{section}]\nmode = \"mesh\"\ntype = \"mesh_auth\"\noptions.required = true\n"
            ));
            assert!(unknown.len() == 1 && unknown[0].contains(meant), "{section}: {unknown:?}");
        }
        for theirs in ["users", "logging.network", "my_own.mesh", "mine.deep.er", "Tracing.endpoints"] {
            assert_eq!(unknown(&format!("[{theirs}]\nx = 1\n")), Vec::<String>::new(), "{theirs}");
        }
    }
}
