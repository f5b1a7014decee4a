//! Security-relevant keys outside of the sections in which they have an effect.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::keys::key::{Key, Kind};
use crate::config::keys::sections::{SECTIONS, SectionKeys};
use crate::config::keys::spelling::plain;

/// The depth to which tables are searched; the parser permits less.
const MAX_DEPTH: usize = 128;

/// Names of security-relevant keys that sections of others have too, with another meaning.
const SHARED: [&str; 17] = [
    "enabled",
    "type",
    "rules",
    "backend",
    "endpoint",
    "allow",
    "deny",
    "policies",
    "provider",
    "token",
    "api",
    "network",
    "networks",
    "urls",
    "required",
    "direction",
    "mode",
];

/// Names of the sides of a middleware, which services and providers may have too.
const SIDES: [&str; 4] = ["left", "right", "incoming", "outgoing"];

/// The owner of the table around a key, who may use names of security-relevant keys for other purposes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner<'a> {
    /// This host, or nobody known: every security-relevant key is a mistake.
    Host,
    /// This section of Harmony.
    Harmony(&'a str),
    /// A provider type, or a service of the application.
    Application,
}

impl Owner<'_> {
    /// Returns whether a key of the owner may have this name.
    fn may_have(self, name: &str) -> bool {
        let is_shared = || SHARED.contains(&name);
        match self {
            Self::Host => false,
            Self::Application => is_shared() || is_credential(name) || SIDES.contains(&name),
            Self::Harmony("authentications") => is_shared() || is_credential(name),
            Self::Harmony("policies" | "rules" | "transform" | "transforms") => is_shared(),
            Self::Harmony("storage") => {
                matches!(name, "backend" | "endpoint" | "type" | "enabled" | "token" | "ca_cert_path")
            }
            Self::Harmony("services" | "middleware_types") => matches!(name, "type" | "enabled"),
            Self::Harmony(_) => name == "enabled",
        }
    }
}

fn is_credential(name: &str) -> bool {
    name.starts_with("jw") || name.ends_with("cert_path") || name.ends_with("key_path")
}

/// A security-relevant key in a place where it has no effect.
#[derive(Debug)]
pub(super) struct Stray {
    pub(super) span: Range<usize>,
    /// The names of the tables around the key, and its own.
    pub(super) path: Vec<String>,
    /// The path of the section in which the key has an effect, with `<name>` for names.
    pub(super) home: String,
}

/// Returns every security-relevant key at or below a key of a table.
pub(super) fn strays(
    name: &Spanned<Cow<'_, str>>,
    value: &DeValue<'_>,
    siblings: &DeTable<'_>,
    owner: Owner<'_>,
) -> Vec<Stray> {
    let mut search = Search { owner, path: Vec::new(), found: Vec::new() };
    search.key(name, value, siblings);
    search.found
}

struct Search<'a> {
    owner: Owner<'a>,
    path: Vec<String>,
    found: Vec<Stray>,
}

impl Search<'_> {
    fn key(&mut self, name: &Spanned<Cow<'_, str>>, value: &DeValue<'_>, siblings: &DeTable<'_>) {
        self.path.push(name.get_ref().clone().into_owned());
        match self.home(name.get_ref(), value, siblings) {
            Some(home) => self.found.push(Stray { span: name.span(), path: self.path.clone(), home }),
            None => self.below(value),
        }
        self.path.pop();
    }

    fn below(&mut self, value: &DeValue<'_>) {
        match value {
            _ if self.path.len() > MAX_DEPTH => {}
            DeValue::Table(table) => {
                table.iter().for_each(|(name, value)| self.key(name, value.get_ref(), table));
            }
            DeValue::Array(items) => items.iter().for_each(|item| self.below(item.get_ref())),
            _ => {}
        }
    }

    /// Returns the section in which a key has an effect, if it has one anywhere and its owner has no other use for it: of
    /// several sections the one that has most of the keys beside it, and whose name is around it.
    fn home(&self, name: &str, value: &DeValue<'_>, siblings: &DeTable<'_>) -> Option<String> {
        let name = plain(name.trim());
        // `mesh` as a mode is meant for an ingress or egress, whoever has modes of his own.
        let is_mesh = name == "mode" && value.as_str().is_some_and(|value| plain(value) == "mesh");
        if self.owner.may_have(&name) && !is_mesh {
            return None;
        }
        let has = |section: &SectionKeys, name: &str| section.keys.iter().any(|key| last(key) == name);
        let fitness = |section: &SectionKeys, key: &Key| {
            let beside = siblings.iter().filter(|(other, _)| has(section, &plain(other.get_ref()))).count();
            let section = section.path.split('.').rfind(|part| *part != "*").unwrap_or_default();
            let own = key.name.split('.').chain([section]);
            let is_around = |own: &str| self.path.iter().any(|part| plain(part).contains(own));
            (own.filter(|own| is_around(own)).count(), beside)
        };
        let guarding = SECTIONS.iter().flat_map(|section| {
            let keys =
                section.keys.iter().filter(|key| key.guards && last(key) == name && guards(key, value));
            keys.map(move |key| (section, key))
        });
        // The first one of equals.
        let mut best: Option<(&SectionKeys, &Key)> = None;
        for (section, key) in guarding {
            if best.is_none_or(|(known, other)| fitness(section, key) > fitness(known, other)) {
                best = Some((section, key));
            }
        }
        best.map(|(section, key)| home_of(section, key))
    }
}

/// Returns the path of the table that has a key, with `<name>` for names.
pub(super) fn home_of(section: &SectionKeys, key: &Key) -> String {
    let above = key.name.rsplit_once('.').map_or(String::new(), |(above, _)| format!(".{above}"));
    format!("{}{above}", section.path.replace('*', "<name>"))
}

/// Returns the last part of the name of a key.
pub(super) fn last(key: &Key) -> &'static str {
    key.name.rsplit('.').next().unwrap_or(key.name)
}

/// Returns whether a value is one with which the key guards. Names that others use too count only with such a value.
fn guards(key: &Key, value: &DeValue<'_>) -> bool {
    let name = last(key);
    let has_tables = match value {
        DeValue::Table(_) => true,
        DeValue::Array(items) => items.iter().any(|item| !item.get_ref().is_str()),
        _ => false,
    };
    // A section with the name of a key: its keys decide.
    if has_tables && !matches!(key.kind, Kind::Table | Kind::Sides | Kind::Map | Kind::Tables) {
        return false;
    }
    if !SHARED.contains(&name) {
        return true;
    }
    match (name, value) {
        ("enabled" | "required", DeValue::Boolean(on)) => !*on || name == "required",
        ("mode", DeValue::String(text)) => plain(text) == "mesh",
        ("type", DeValue::String(text)) => plain(text).contains("auth") || plain(text) == "policies",
        ("endpoint" | "backend", DeValue::String(text)) => !text.contains("://"),
        ("mode" | "type" | "endpoint" | "backend", _) => false,
        _ => match key.kind {
            Kind::Text | Kind::Words(_) => value.is_str(),
            Kind::Texts | Kind::Sides | Kind::Tables => value.is_array(),
            Kind::Flag => value.is_bool() || value.is_str(),
            Kind::Integer(..) => value.is_integer(),
            Kind::Table | Kind::Map => value.is_table(),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::config::keys::check;
    use crate::diagnostics::problem::Problems;
    use crate::diagnostics::source::Source;

    /// Returns the problems of keys that are always errors.
    fn guarded(text: &str) -> Vec<String> {
        let source = Source::new("config.toml", text);
        let (document, syntax) = toml::de::DeTable::parse_recoverable(source.toml());
        assert!(syntax.is_empty(), "{text}: {syntax:?}");
        let unknown = check(&source, document.get_ref(), &[], &mut Problems::default());
        unknown.iter().filter(|unknown| unknown.guards).map(|unknown| unknown.problem.to_string()).collect()
    }

    /// Security-relevant keys under any section but their own are errors that name their place.
    #[test]
    fn guarding_keys_elsewhere_are_found() {
        let ingress = "pipelines.<name>.mesh.ingress.<name>";
        for (text, home) in [
            ("[ingress.i]\nmode = \"mesh\"\nurls = []", ingress),
            ("[mesh_ingress.i]\nmode = \"mesh\"", ingress),
            ("[\"\"]\nurls = []\nmode = \"mesh\"", ingress),
            ("[[ingress]]\nMODE = \"Mesh\"", ingress),
            ("[x]\na = [[{ b = { mode = \"mesh\" } }]]", ingress),
            ("mode = \"mesh\"", ingress),
            ("[egress.e]\nmode = \"mesh\"\nbackend = \"b\"", "pipelines.<name>.mesh.egress.<name>"),
            ("[content_limits]\nmax_body_size = 1024", "[proxy]"),
            ("[http]\ncert_path = \"c\"", "network.<name>.http"),
            ("[tls]\ncert_path = \"c\"\nkey_path = \"k\"", "network.<name>.http"),
            ("[tcp_config]\nkey-path = \"k\"", "network.<name>.tcp_config"),
            ("force_https = true", "network.<name>.http"),
            ("required_env_vars = []", "[proxy]"),
            ("sensitive_field_patterns = []", "[proxy]"),
            ("sensitive_field_paterns = []", "[proxy]"),
            ("moed = \"mesh\"", ingress),
            ("ssl_cert_path = \"c\"", "cert_path`"),
            ("[admin]\ntoken = \"t\"", "[management]"),
            ("[cloud]\napi = \"https://a\"", "[provider.<name>]"),
            ("[logging]\nforce_https = true", "network.<name>.http"),
            ("[rules.a]\noutgoing = [\"m\"]", "[pipelines.<name>.middleware]"),
            ("[rules.a]\nmode = \"mesh\"", ingress),
            ("[policies.a.options]\npeer_ref = \"p\"", "[endpoints.<name>]"),
            ("[services.http]\nauthentication = \"a\"", "authentication"),
            ("[rules.pipelines.a.mesh.ingress.i]\nmode = \"mesh\"", "[pipelines]"),
            ("[logging.network.n.http]\ncert_path = \"c\"", "[network]"),
            ("[authentications.pipelines.a.mesh.ingress.i]\nx = 1", "[pipelines]"),
            ("[mesh.ingress.i]\nmode = \"mesh\"", "ingress"),
            ("[network.n.tls]\ncert_path = \"c\"", "http"),
            ("[pipelines.p.ingress.i]\nmode = \"mesh\"", "ingress"),
            ("[backends.b]\ntoken = \"t\"", "[management]"),
            ("[endpoints.e]\nservice = \"dicom\"\noptions.peer_ref = \"p\"", "[endpoints.<name>]"),
        ] {
            let found = guarded(&format!("{text}\n"));
            assert!(!found.is_empty() && found[0].contains(home), "{text}: {found:?}");
        }
    }

    /// Keys of Harmony's own sections stay, and so do keys that protect nothing.
    #[test]
    fn keys_of_others_stay() {
        for text in [
            "[logging]\nlog_level = \"debug\"\nlog_to_file = true",
            "[storage]\nbackend = \"s3\"\n[storage.options]\nendpoint = \"https://s3.example\"\nsecret_access_key = \"x\"",
            "[authentications.a]\nmethod = \"jwt\"\noptions = { jwks_url = \"https://a\", token = \"t\", ca_cert_path = \"c\" }",
            "[policies.a]\nenabled = false\nrules = [\"r\"]\n[rules.r]\ntype = \"deny\"\nenabled = false\noptions.networks = []",
            "[services.http]\nmodule = \"\"\ntype = \"http\"\n[middleware_types.jwt_auth]\nmodule = \"\"",
            "[[rules]]\n[rules.match]\npath = \"/a\"",
            "[telemetry]\nenabled = true\nendpoint = \"https://a\"\nmode = \"push\"\ntype = \"otlp\"",
            "version = 1",
        ] {
            assert_eq!(guarded(&format!("{text}\n")), Vec::<String>::new(), "{text}");
        }
    }
}
