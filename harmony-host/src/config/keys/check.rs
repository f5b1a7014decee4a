//! Checking a file against the table of keys.

use std::borrow::Cow;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::keys::key::{Effect, Key, Kind};
use crate::config::keys::meant::{Entry, Meant, elsewhere, meant, meant_outside};
use crate::config::keys::provider_key::ProviderKey;
use crate::config::keys::section_names;
use crate::config::keys::sections::{FOREIGN, SECTIONS, SectionKeys};
use crate::config::keys::spelling::{nearest, plain};
use crate::config::keys::strays::{self, Owner};
use crate::config::keys::unknown::{OptionOf, UnknownKey};
use crate::config::section::{describe, expected_word, integer};
use crate::diagnostics::problem::{Problem, Problems, Severity};
use crate::diagnostics::source::{Place, Source};

/// The services whose options this host reads. It does not check the options of other services.
const OWN_SERVICES: [&str; 2] = ["http", "echo"];

/// The middleware whose options this host reads.
const OWN_MIDDLEWARE: [&str; 2] = ["mesh_auth", "passthru"];

/// Checks every key of the sections in the table: adds an error for each value of a wrong type, and returns the unknown
/// keys.
///
/// Does not check the sections in `ignored`, which have no effect in this file.
pub(crate) fn check(
    source: &Arc<Source>,
    document: &DeTable<'_>,
    ignored: &[&str],
    problems: &mut Problems,
) -> Vec<UnknownKey> {
    let mut check = Check { source, problems, unknown: Vec::new() };
    let tops: Vec<&str> = SECTIONS.iter().filter_map(|section| section.path.split('.').next()).collect();
    for (name, value) in document {
        let text: &str = name.get_ref();
        if ignored.contains(&text) {
            continue;
        }
        let entry = Entry { name, value };
        if tops.contains(&text) {
            check.section(value, text, &[text]);
        } else if FOREIGN.contains(&text) {
            check.foreign(entry, document, &tops);
        } else if is_section(value.get_ref()) {
            check.section_name(entry, document, &tops);
        } else {
            check.top_level_key(entry, document);
        }
    }
    check.unknown
}

/// Returns whether a value at the top of a document is a section, or a list of sections.
fn is_section(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(_) => true,
        DeValue::Array(items) => items.iter().any(|item| item.get_ref().is_table()),
        _ => false,
    }
}

struct Check<'a> {
    source: &'a Arc<Source>,
    problems: &'a mut Problems,
    unknown: Vec<UnknownKey>,
}

impl Check<'_> {
    /// Rejects a section that is probably one of this host's, and security-relevant keys in every other one. Other unknown
    /// sections belong to Harmony.
    fn section_name(&mut self, entry: Entry<'_>, document: &DeTable<'_>, tops: &[&str]) {
        let name = entry.name.get_ref();
        let Some(help) = section_names::meant(name, entry.value.get_ref(), tops) else {
            return self.strays(entry, document, Owner::Host);
        };
        let place = Place::new(self.source, entry.name.span());
        self.unknown(place, name.to_string(), "there is no such section".to_owned(), help, true);
    }

    /// Checks the value at `pattern`, a path in the table with `*` for names. `shown` is the same path with the real names.
    fn section(&mut self, value: &Spanned<DeValue<'_>>, shown: &str, pattern: &[&str]) {
        let Some(table) = value.get_ref().as_table() else { return };
        let joined = pattern.join(".");
        if let Some(section) = SECTIONS.iter().find(|section| section.path == joined) {
            return self.keys(section, table, shown);
        }
        // A table of named sections.
        let named: Vec<&str> = pattern.iter().copied().chain(["*"]).collect();
        for (name, value) in table {
            self.section(value, &format!("{shown}.{}", name.get_ref()), &named);
        }
    }

    /// Checks the keys of one section.
    fn keys(&mut self, section: &SectionKeys, table: &DeTable<'_>, shown: &str) {
        let (service, options_are_own) = service(section.path, table);
        let level = Level { section, prefix: String::new(), service: &service, options_are_own };
        self.level(&level, table, shown);
    }

    fn level(&mut self, level: &Level<'_>, table: &DeTable<'_>, shown: &str) {
        for (name, value) in table {
            let text: &str = name.get_ref();
            let entry = Entry { name, value };
            let dotted = format!("{}{text}", level.prefix);
            let shown_key = format!("{shown}.{text}");
            let below: Vec<&str> = level.section.path.split('.').chain([text]).collect();
            if level.prefix.is_empty() && is_section_prefix(&below) {
                self.section(value, &shown_key, &below);
                continue;
            }
            // In quotes a dot is part of the name, and no key has one: `"http.cert_path"` is not `http.cert_path`.
            let is_quoted = text.contains('.');
            let foreign = level.prefix.starts_with("options.") && !level.options_are_own;
            match level.section.keys.iter().find(|key| key.name == dotted && !is_quoted) {
                _ if foreign => self.foreign_option(level, table, entry, shown_key),
                None if is_quoted && !level.section.open => self.quoted_key(name, &shown_key),
                Some(key) => {
                    self.value(key, value, &shown_key);
                    if let (Kind::Table | Kind::Sides, DeValue::Table(inner)) = (key.kind, value.get_ref()) {
                        let level = Level { prefix: format!("{dotted}."), ..*level };
                        self.level(&level, inner, &shown_key);
                    }
                }
                None if level.section.open => self.provider_key(level, table, entry, &shown_key),
                None => {
                    self.unknown_key(level, table, entry, &shown_key);
                    if level.prefix == "options."
                        && let Some(unknown) = self.unknown.last_mut()
                    {
                        unknown.option = Some(level.option(text, false));
                    }
                }
            }
        }
    }

    /// Rejects a name with a dot. It is meant as a path, to any key of the section or below it, so it is always an error.
    fn quoted_key(&mut self, name: &Spanned<Cow<'_, str>>, shown: &str) {
        let place = Place::new(self.source, name.span());
        let message = "in quotes this is one name with a dot in it, which is not known".to_owned();
        let help = format!("remove the quotes: `{}`", name.get_ref());
        self.unknown(place, shown.to_owned(), message, help, true);
    }

    /// Notes a key of a provider, whose type may tell its keys. Without that, a likely misspelling of a security-relevant
    /// key of this host is a mistake.
    fn provider_key(&mut self, level: &Level<'_>, table: &DeTable<'_>, entry: Entry<'_>, shown: &str) {
        let Entry { name, value } = entry;
        let own: &str = name.get_ref();
        let place = Place::new(self.source, name.span());
        let guards = level.section.keys.iter().filter(|key| key.guards && key.name.len() > 3);
        let recased = level.section.keys.iter().find(|key| plain(key.name) == plain(own.trim()));
        let meant = recased.map(|key| key.name).or_else(|| nearest(own, guards.map(|key| key.name)));
        let stray = strays::strays(name, value.get_ref(), table, Owner::Application).pop();
        let help = match (meant, stray) {
            (Some(meant), _) => Some(format!("did you mean `{meant}`?")),
            (None, Some(stray)) => Some(elsewhere(&stray.home)),
            (None, None) => None,
        };
        let guards = help.is_some();
        let message = "this key is not known".to_owned();
        self.unknown(place, shown.to_owned(), message, help.unwrap_or_default(), guards);
        let provider_type = table.get("type").and_then(|value| value.get_ref().as_str());
        let name = shown.split('.').nth(1).unwrap_or_default();
        if let Some(unknown) = self.unknown.last_mut() {
            unknown.provider = Some(ProviderKey {
                provider_type: provider_type.unwrap_or(name).to_owned(),
                key: own.to_owned(),
                beside: table.keys().map(|key| key.get_ref().to_string()).collect(),
            });
        }
    }

    fn unknown_key(&mut self, level: &Level<'_>, table: &DeTable<'_>, entry: Entry<'_>, shown: &str) {
        let place = Place::new(self.source, entry.name.span());
        let Meant { help, guards } = meant(level.section, &level.prefix, table, entry);
        self.unknown(place, shown.to_owned(), "this key is not known".to_owned(), help, guards);
    }

    /// Rejects security-relevant keys in a section of others, at `name` or below it.
    fn strays(&mut self, entry: Entry<'_>, siblings: &DeTable<'_>, owner: Owner<'_>) {
        for stray in strays::strays(entry.name, entry.value.get_ref(), siblings, owner) {
            let place = Place::new(self.source, stray.span.clone());
            let message = "this key guards, and has no effect here".to_owned();
            self.unknown(place, stray.path.join("."), message, elsewhere(&stray.home), true);
        }
    }

    /// Rejects a section of this host inside of a section of Harmony, and security-relevant keys that have no effect there.
    fn foreign(&mut self, entry: Entry<'_>, document: &DeTable<'_>, tops: &[&str]) {
        let name: &str = entry.name.get_ref();
        match section_names::inside(entry.value.get_ref(), tops) {
            Some(help) => {
                let place = Place::new(self.source, entry.name.span());
                let message = "a section inside of this one has no effect here".to_owned();
                self.unknown(place, name.to_owned(), message, help, true);
            }
            None => self.strays(entry, document, Owner::Harmony(name)),
        }
    }

    /// Rejects a key outside of every section that has the name of a known one, or is a likely misspelling of a
    /// security-relevant one.
    fn top_level_key(&mut self, entry: Entry<'_>, document: &DeTable<'_>) {
        let before = self.unknown.len();
        self.strays(entry, document, Owner::Host);
        if self.unknown.len() > before {
            return;
        }
        let name = entry.name.get_ref();
        let Some(Meant { help, guards }) = meant_outside(name) else { return };
        let place = Place::new(self.source, entry.name.span());
        self.unknown(place, name.to_string(), "this key is in no section".to_owned(), help, guards);
    }

    /// Notes an option of a service that this host does not know. It is a mistake only if the application names the
    /// options of that service.
    /// A security-relevant key of this host that has no effect in the options is one unless the application names it.
    fn foreign_option(&mut self, level: &Level<'_>, table: &DeTable<'_>, entry: Entry<'_>, shown: String) {
        let text: &str = entry.name.get_ref();
        let place = Place::new(self.source, entry.name.span());
        let message = format!("`{}` has no such option", level.service.escape_debug());
        let dotted = format!("{}{text}", level.prefix);
        let is_official = level.section.keys.iter().any(|key| key.name == dotted);
        let stray = strays::strays(entry.name, entry.value.get_ref(), table, Owner::Application).pop();
        let stray = stray.filter(|_| !is_official);
        let help = stray.as_ref().map(|stray| elsewhere(&stray.home)).unwrap_or_default();
        self.unknown(place, shown, message, help, stray.is_some());
        if let Some(unknown) = self.unknown.last_mut() {
            unknown.option = Some(level.option(text, true));
        }
    }

    fn unknown(&mut self, place: Place, key: String, message: String, help: String, guards: bool) {
        let problem =
            Problem { severity: Severity::Error, place: Some(place), key, message, help: Some(help) };
        self.unknown.push(UnknownKey { problem, guards, option: None, provider: None });
    }

    /// Adds an error if the value has a wrong type, or if this host does not support the key.
    fn value(&mut self, key: &Key, value: &Spanned<DeValue<'_>>, shown: &str) {
        // `false` does not request the unsupported feature.
        if key.effect == Effect::Unsupported && value.get_ref().as_bool() != Some(false) {
            let place = Place::new(self.source, value.span());
            let message = "this gateway does not support this key, and ignoring it would be unsafe";
            self.problems.error(Some(&place), shown, message).help("remove it");
        }
        if let Some(message) = mismatch(key.kind, value.get_ref()) {
            self.problems.error(Some(&Place::new(self.source, value.span())), shown, message);
            return;
        }
        if let DeValue::String(text) = value.get_ref()
            && names_no_file(key, text)
        {
            let message = match text.trim().is_empty() {
                true => "expected the path of a file, found an empty text",
                false => "expected the path of a file, found that of a directory",
            };
            self.problems.error(Some(&Place::new(self.source, value.span())), shown, message);
        }
        let DeValue::Array(items) = value.get_ref() else { return };
        for item in items.iter().filter(|item| key.kind != Kind::Tables && !item.get_ref().is_str()) {
            let message = format!("expected a string in the list, found {}", describe(item.get_ref()));
            self.problems.error(Some(&Place::new(self.source, item.span())), shown, message);
        }
    }
}

/// The context of the table that is being checked.
#[derive(Clone)]
struct Level<'a> {
    section: &'a SectionKeys,
    /// The path below the section, with a dot at its end; empty for the section itself.
    prefix: String,
    /// The service or type that the options are of; empty for a section without options.
    service: &'a str,
    options_are_own: bool,
}

impl Level<'_> {
    fn option(&self, key: &str, is_foreign: bool) -> OptionOf {
        let (section, service) = (self.section.path, self.service.to_owned());
        OptionOf { section, service, key: key.to_owned(), is_foreign }
    }
}

/// Returns whether a section of the table begins with this path.
fn is_section_prefix(path: &[&str]) -> bool {
    SECTIONS.iter().any(|section| {
        let own: Vec<&str> = section.path.split('.').collect();
        own.len() >= path.len() && own.iter().zip(path).all(|(own, given)| own == given)
    })
}

/// Returns whether a value is no path of a file, though the key is one of certificates and keys.
fn names_no_file(key: &Key, text: &str) -> bool {
    let is_file = key.name.ends_with("cert_path") || key.name.ends_with("key_path");
    let last = text.trim().rsplit('/').next().unwrap_or_default();
    is_file && key.effect == Effect::Served && matches!(last, "" | "." | "..")
}

/// Returns the service or type that the options of a section are of, and whether this host reads them.
fn service(section: &str, table: &DeTable<'_>) -> (String, bool) {
    let text =
        |key: &str| table.get(key).and_then(|value| value.get_ref().as_str()).unwrap_or_default().to_owned();
    let (name, own): (String, &[&str]) = match section {
        "endpoints.*" | "backends.*" => (text("service"), &OWN_SERVICES),
        "middleware.*" => (text("type"), &OWN_MIDDLEWARE),
        _ => return (String::new(), true),
    };
    let is_own = own.contains(&name.as_str());
    (name, is_own)
}

/// Returns the message for a value that does not fit its key. The reader of the section adds the same message; equal
/// problems are reported once.
fn mismatch(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    let (fits, expected) = match kind {
        Kind::Text | Kind::Words(_) => (value.is_str(), "a string"),
        Kind::Flag => (value.is_bool(), "true or false"),
        Kind::Integer(..) => (value.is_integer(), "a whole number"),
        Kind::Texts => (value.is_array(), "a list of strings"),
        Kind::Sides => (value.is_array() || value.is_table(), "a list of strings"),
        Kind::Table | Kind::Map => (value.is_table(), "a table"),
        Kind::Tables => (value.is_array(), "a list of tables"),
    };
    if !fits {
        return Some(format!("expected {expected}, found {}", describe(value)));
    }
    match (kind, value) {
        (Kind::Words(words), DeValue::String(text)) => expected_word(words.iter().copied(), text),
        (Kind::Integer(least, most), DeValue::Integer(_)) => match integer(value)? {
            n if (i128::from(least)..=i128::from(most)).contains(&n) => None,
            n => Some(format!("expected {least} to {most}, found {n}")),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> (Vec<String>, Vec<String>) {
        let source = Source::new("config.toml", text);
        let (document, _) = DeTable::parse_recoverable(source.toml());
        let mut problems = Problems::default();
        let unknown = check(&source, document.get_ref(), &[], &mut problems);
        let unknown =
            unknown.iter().filter(|unknown| unknown.option.as_ref().is_none_or(|option| !option.is_foreign));
        let unknown = unknown.filter(|unknown| unknown.provider.is_none() || unknown.guards);
        let unknown = unknown.map(|unknown| unknown.problem.to_string()).collect();
        (unknown, problems.errors().map(ToString::to_string).collect())
    }

    #[test]
    fn misspellings_are_found() {
        let text = "[proxy]\nid = \"a\"\nprimry_provider = \"local\"\n[pipelines.p.mesh.ingress.i]\nmoed = \"mesh\"\n\
                    [network.n.http]\ncert_pth = \"c\"\n[middleware.m]\ntype = \"mesh_auth\"\noptions.requird = true\n\
                    [netwrok.x]\n";
        let (unknown, wrong) = checked(text);
        for (line, key, meant) in [
            (3, "proxy.primry_provider", "`primary_provider`"),
            (5, "pipelines.p.mesh.ingress.i.moed", "`mode`"),
            (7, "network.n.http.cert_pth", "`cert_path`"),
            (10, "middleware.m.options.requird", "`required`"),
            (11, "netwrok", "[network]"),
        ] {
            let found = unknown.iter().find(|u| u.starts_with(&format!("config.toml:{line}: {key}:")));
            assert!(found.is_some_and(|u| u.contains(meant)), "{key}: {unknown:#?}");
        }
        assert_eq!((unknown.len(), wrong.len()), (5, 0), "{unknown:#?} {wrong:?}");
    }

    /// A security-relevant key in the wrong table has no effect there: it is never a key of a newer gateway.
    #[test]
    fn misplaced_keys_are_found() {
        for (text, meant) in [
            ("[middleware.m]\ntype = \"mesh_auth\"\nmesh_name = \"a\"\n", "options.mesh_name"),
            ("[network.n]\ncert_path = \"c\"\n", "http.cert_path"),
            ("[pipelines.p]\nmode = \"mesh\"\n", "mesh.ingress.*.mode"),
            ("[endpoints.e]\nservice = \"http\"\noptions.authentication = \"a\"\n", "authentication"),
            ("[endpoints.e]\nservice = \"http\"\noptions.auth = \"a\"\n", "authentication"),
        ] {
            let source = Source::new("config.toml", text);
            let (document, _) = DeTable::parse_recoverable(source.toml());
            let unknown = check(&source, document.get_ref(), &[], &mut Problems::default());
            let [only] = unknown.as_slice() else { panic!("{text}: {unknown:?}") };
            assert!(only.guards, "{text}");
            assert_eq!(
                only.problem.help.as_deref(),
                Some(format!("did you mean `{meant}`?").as_str()),
                "{text}"
            );
        }
    }

    /// Another case or the beginning of a security-relevant key is a likely mistake, so it stays an error where unknown keys
    /// are allowed.
    #[test]
    fn other_cases_are_misspellings() {
        for (section, key) in [
            ("pipelines.p.mesh.ingress.i", "MODE"),
            ("pipelines.p", "MIDDLEWARE"),
            ("pipelines.p.MESH.ingress.i", "mode"),
            ("pipelines.p.mesh.INGRESS.i", "mode"),
            ("endpoints.e", "AUTHENTICATION"),
            ("endpoints.e", "auth"),
            ("network.n.http", "CERT_PATH"),
            ("network.n.http", "cert-path"),
            ("network.n.http", "certPath"),
            ("network.n.http", "certificate_path"),
            ("network.n.http", "ssl_cert_path"),
            ("network.n.http", "cert_file"),
            ("network.n.http", "https_only"),
            ("pipelines.p.mesh.ingress.i", "ingress_mode"),
            ("pipelines.p.mesh.ingress.i", "mesh_only"),
            ("pipelines.p", "mesh_only"),
            ("endpoints.e", "authn"),
            ("endpoints.e", "authentication_ref"),
            ("backends.b", "tls_verify"),
        ] {
            let source = Source::new("config.toml", format!("[{section}]\n{key} = \"x\"\n"));
            let (document, _) = DeTable::parse_recoverable(source.toml());
            let unknown = check(&source, document.get_ref(), &[], &mut Problems::default());
            assert!(unknown.iter().any(|unknown| unknown.guards), "{section}.{key}: {unknown:?}");
        }
    }

    #[test]
    fn foreign_keys_stay() {
        let text = "[logging]\nwhatever = 1\n[my_own]\nx = 1\n[provider.mine]\napi = \"a\"\nteam = \"t\"\n\
                    [endpoints.e]\nservice = \"fhir\"\noptions.anything = 1\n[middleware.m]\ntype = \"jwt_auth\"\noptions.x = 1\n";
        assert_eq!(checked(text), (Vec::new(), Vec::new()));
    }

    /// In quotes, a known path is one name that nobody knows.
    #[test]
    fn quoted_paths_are_unknown() {
        let text = "[network.n]\n\"http.cert_path\" = \"c\"\n[backends.b]\nservice = \"fhir\"\n\"options.ca_cert_path\" = \"c\"\n\
                    [endpoints.e]\nservice = \"http\"\n'options.path_prefix' = \"/a\"\n[proxy]\n\"content_limits.max_body_size\" = 1\n\
                    [pipelines.p]\n\"middleware.incoming\" = [\"m\"]\n[backends.b.options]\n\"my.own\" = 1\n";
        let (unknown, _) = checked(text);
        for line in [2, 5, 8, 10, 12] {
            let found = unknown.iter().any(|u| u.starts_with(&format!("config.toml:{line}: ")));
            assert!(found, "line {line}: {unknown:#?}");
        }
        assert_eq!(unknown.len(), 5, "{unknown:#?}");
    }

    /// A path into an inner section in quotes opens nothing either where unknown keys are allowed.
    #[test]
    fn quoted_paths_are_always_errors() {
        for line in [
            "\"mesh.ingress.i\" = { mode = \"mesh\" }",
            "\"mesh.egress.e.mode\" = \"mesh\"",
            "mesh.\"ingress.i\" = { mode = \"mesh\" }",
        ] {
            let source = Source::new("config.toml", format!("[pipelines.p]\n{line}\n"));
            let (document, _) = DeTable::parse_recoverable(source.toml());
            let unknown = check(&source, document.get_ref(), &[], &mut Problems::default());
            assert!(
                !unknown.is_empty() && unknown.iter().all(|unknown| unknown.guards),
                "{line}: {unknown:?}"
            );
        }
    }

    /// A path that can be no file is an error at its key.
    #[test]
    fn paths_of_files_are_no_directories() {
        for (section, key) in [
            ("network.n.http", "cert_path"),
            ("network.n.tcp_config", "key_path"),
            ("backends.b", "connection.ca_cert_path"),
            ("mesh.m", "jwt_private_key_path"),
            ("mesh.m", "jwt_public_key_path"),
        ] {
            for value in ["", " ", ".", "..", "certs/", "a/."] {
                let (_, wrong) = checked(&format!("[{section}]\n{key} = \"{value}\"\n"));
                let expected = format!("config.toml:2: {section}.{key}: expected the path of a file");
                assert!(wrong.len() == 1 && wrong[0].starts_with(&expected), "{value}: {wrong:?}");
            }
            let (_, wrong) = checked(&format!("[{section}]\n{key} = \"certs/a.pem\"\n"));
            assert_eq!(wrong, [""; 0]);
        }
    }

    #[test]
    fn types_are_checked() {
        let (_, wrong) =
            checked("[proxy]\nid = 7\ncontent_limits.max_csv_rows = \"many\"\n[peers.p]\nenabled = \"no\"\n");
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(
            wrong[1].starts_with("config.toml:3: proxy.content_limits.max_csv_rows: expected a whole number")
        );
    }
}
