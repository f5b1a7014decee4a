//! The content of one configuration file.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::DeTable;

use crate::config::backend::{Backend, Target};
use crate::config::duplicate::{Duplicate, explain};
use crate::config::endpoint::Endpoint;
use crate::config::keys::{self, UnknownKey};
use crate::config::lookup::SYNTAX_BROKEN;
use crate::config::management::Management;
use crate::config::mesh::{Mesh, RemoteIngress};
use crate::config::middleware::Middleware;
use crate::config::network::Network;
use crate::config::peer::Peer;
use crate::config::pipeline::Pipeline;
use crate::config::provider::ProviderSections;
use crate::config::proxy::Proxy;
use crate::config::section::Section;
use crate::config::variables::{self, Use, UsesByValue};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Source};

/// The content of one configuration file, with the problems inside it. A configuration is merged from fragments, and a
/// fragment is parsed once per content, so an edit costs parsing one file.
#[derive(Debug)]
pub(crate) struct Fragment {
    /// The file.
    pub(crate) source: Arc<Source>,
    /// The sections that are only read from config.toml.
    pub(crate) gateway: Option<Box<GatewaySections>>,
    /// `[pipelines.*]`
    pub(crate) pipelines: Vec<Arc<Pipeline>>,
    /// `[endpoints.*]`
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    /// `[backends.*]`
    pub(crate) backends: Vec<Arc<Backend>>,
    /// `[targets.*]`
    pub(crate) targets: Vec<Arc<Target>>,
    /// `[peers.*]`
    pub(crate) peers: Vec<Arc<Peer>>,
    /// `[middleware.*]`
    pub(crate) middleware: Vec<Arc<Middleware>>,
    /// The names under `[middleware_types]`.
    pub(crate) middleware_types: Vec<String>,
    /// The names under `[authentications]`, each with whether its method is `none`.
    pub(crate) authentications: Vec<(String, bool)>,
    /// `[mesh.*]`
    pub(crate) meshes: Vec<Arc<Mesh>>,
    /// `[remote_ingress.*]`
    pub(crate) remote_ingress: Vec<Arc<RemoteIngress>>,
    /// The sections that could not be read, as `endpoints.x`. A reference to one of them is no further error.
    pub(crate) invalid_sections: Vec<String>,
    /// The keys that are not in the table of keys.
    pub(crate) unknown_keys: Vec<UnknownKey>,
    /// The uses of environment variables.
    pub(crate) variables: Vec<Use>,
    /// The problems of this file alone.
    pub(crate) problems: Problems,
}

/// The sections of config.toml.
#[derive(Debug)]
pub(crate) struct GatewaySections {
    /// `[proxy]`
    pub(crate) proxy: Proxy,
    /// `[provider.*]`
    pub(crate) providers: ProviderSections,
    /// `[network.*]`
    pub(crate) networks: Vec<Network>,
    /// `[management]`
    pub(crate) management: Option<Management>,
}

/// The sections that have no effect in other files. `runbeam` is the legacy form of one.
pub(crate) const GATEWAY_ONLY: [&str; 5] = ["proxy", "provider", "network", "management", "runbeam"];

impl Fragment {
    /// Reads config.toml.
    pub(crate) fn gateway(source: &Arc<Source>) -> Self {
        Self::read(source, true)
    }

    /// Reads a file of the pipelines or mesh directory.
    pub(crate) fn part(source: &Arc<Source>) -> Self {
        Self::read(source, false)
    }

    /// Returns whether the file has anything that concerns the configuration beyond its definitions: problems, unknown keys,
    /// variables or the sections of the gateway.
    pub(crate) fn is_remarkable(&self) -> bool {
        self.gateway.is_some()
            || !self.unknown_keys.is_empty()
            || !self.variables.is_empty()
            || !self.problems.is_empty()
    }

    fn read(source: &Arc<Source>, is_gateway: bool) -> Self {
        let mut problems = Problems::default();
        let (mut document, syntax) = DeTable::parse_recoverable(source.toml());
        // The recovering parser skips what it cannot read, so any section may be missing from the result.
        let syntax_broken = (!syntax.is_empty()).then(|| SYNTAX_BROKEN.to_owned());
        // One mistake breaks what is around it as well, such as the list of a string without an end: the innermost one
        // on a line is the mistake.
        let mut innermost = BTreeMap::new();
        for error in syntax {
            let explained = error.span().and_then(|span| explain(error.message(), source.text(), span));
            if explained == Some(Duplicate::OfDuplicate) {
                continue;
            }
            let place = error.span().map(|span| Place::new(source, span));
            let line = place.as_ref().map(Place::line);
            let start = place.as_ref().map(|place| place.span().start);
            let known = innermost.get(&line).map(|(known, _, _)| *known);
            if known.is_none_or(|known| start >= known) {
                let message = match explained {
                    Some(Duplicate::Explained(message)) => Err(message),
                    _ => Ok(without_values(error.message())),
                };
                innermost.insert(line, (start, place, message));
            }
        }
        for (_, place, message) in innermost.into_values() {
            let message = match message {
                Ok(message) => message,
                Err(duplicate) => {
                    let entry = problems.error(place.as_ref(), source.name(), duplicate);
                    entry.help("merge the two, or delete one");
                    continue;
                }
            };
            let has_no_end = message.contains(NO_END);
            problems.error(place.as_ref(), source.name(), message);
            // What follows a string without an end is read as part of something else.
            if has_no_end {
                break;
            }
        }
        let mut missing = Problems::default();
        let variables =
            variables::substitute(document.get_mut(), source, &variables::of_process, &mut missing);
        let root = Section::root(source, document.get_ref());
        let p = &mut problems;
        let gateway = if is_gateway {
            let proxy = Proxy::read(&root, p);
            let providers = ProviderSections::read(&root, source, p);
            let mut networks: Vec<Network> =
                root.named("network", p).into_iter().map(|(name, s)| Network::read(name, &s, p)).collect();
            let management = Management::read(&root, p);
            networks.extend(management.as_ref().and_then(Management::default_network));
            proxy.map(|proxy| Box::new(GatewaySections { proxy, providers, networks, management }))
        } else {
            for key in GATEWAY_ONLY.into_iter().filter(|key| root.has(key)) {
                p.error(
                    root.place_of(key).as_ref(),
                    key,
                    "this section is read from config.toml only and has no effect here",
                )
                .help(format!("move [{key}] to config.toml"));
            }
            None
        };
        let mut invalid_sections: Vec<String> = syntax_broken.into_iter().collect();
        macro_rules! named {
            ($key:literal, $read:expr) => {{
                let read = $read;
                let mut all = Vec::new();
                for (name, section) in root.named($key, p) {
                    match read(name.clone(), &section, p) {
                        Some(item) => all.push(Arc::new(item)),
                        None => invalid_sections.push(format!("{}.{name}", $key)),
                    }
                }
                all.shrink_to_fit();
                all
            }};
        }
        let fragment = Self {
            source: Arc::clone(source),
            gateway,
            pipelines: named!("pipelines", |n, s: &Section<'_>, p: &mut Problems| Some(Pipeline::read(
                n, s, p
            ))),
            endpoints: named!("endpoints", Endpoint::read),
            backends: named!("backends", Backend::read),
            targets: named!("targets", |n, s: &Section<'_>, p: &mut Problems| Some(Target::read(n, s, p))),
            peers: named!("peers", |n, s: &Section<'_>, p: &mut Problems| Some(Peer::read(n, s, p))),
            middleware: named!("middleware", Middleware::read),
            middleware_types: root
                .foreign("middleware_types")
                .into_iter()
                .map(|(name, _)| name.to_owned())
                .collect(),
            authentications: authentications(&root),
            meshes: named!("mesh", |n, s: &Section<'_>, p: &mut Problems| Some(Mesh::read(n, s, p))),
            remote_ingress: named!("remote_ingress", |n, s: &Section<'_>, p: &mut Problems| Some(
                RemoteIngress::read(n, s, p)
            )),
            invalid_sections: Vec::new(),
            unknown_keys: Vec::new(),
            variables: Vec::new(),
            problems: Problems::default(),
        };
        let foreign: &[&str] = if is_gateway { &[] } else { &GATEWAY_ONLY };
        // The recovering parser may put keys into the wrong table, and a false "unknown key" would mislead.
        let unknown_keys = match invalid_sections.contains(&SYNTAX_BROKEN.to_owned()) {
            true => Vec::new(),
            false => keys::check(source, document.get_ref(), foreign, p),
        };
        // What a value without its variable lacks beyond that is no mistake of its own.
        let uses = UsesByValue::new(&variables);
        problems.retain(|problem| !uses.at(problem).any(|used| used.failed));
        problems.reword(|problem| uses.at(problem).find_map(|used| used.hide_in(problem)));
        problems.extend(&missing);
        Self { problems, invalid_sections, unknown_keys, variables, ..fragment }
    }
}

/// Returns the names of the authentications, each with whether its method is `none`.
fn authentications(root: &Section<'_>) -> Vec<(String, bool)> {
    let open = |table: &DeTable<'_>| {
        table.get("method").and_then(|method| method.get_ref().as_str()) == Some("none")
    };
    root.foreign("authentications").into_iter().map(|(name, table)| (name.to_owned(), open(table))).collect()
}

/// The last words of the message about a string without its quotation mark.
const NO_END: &str = "at the end of the text";

/// Removes every quoted value from a message of a parser: it may be a secret.
pub(crate) fn without_values(message: &str) -> String {
    // The parser names a missing quotation mark by the character, which begins no value.
    let message = [
        (
            "multi-line basic string, expected `\"`",
            "multi-line string, expected three quotation marks at the end of the text",
        ),
        (
            "multi-line literal string, expected `'`",
            "multi-line string, expected three single quotation marks at the end of the text",
        ),
        ("`\"`", "a quotation mark at the end of the text"),
        ("`'`", "a single quotation mark at the end of the text"),
    ]
    .into_iter()
    .fold(message.to_owned(), |message, (character, words)| message.replace(character, words));
    let mut out = String::new();
    let mut quoted = false;
    let mut escaped = false;
    for c in message.chars() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        if quoted && c == '\\' {
            escaped = true;
            continue;
        }
        if c == '"' {
            quoted = !quoted;
            if !quoted {
                out.push('…');
            }
            continue;
        }
        if !quoted {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pass_finds_every_mistake() {
        let text = r#"
[proxy]
id = 7
[network.a.http]
bind_address = "nowhere"
bind_port = 70000
[management]
enabled = "yes"
[provider.x]
poll_interval_secs = -1
[network."../up"]
"#;
        let mut fragment = Fragment::gateway(&Source::new("config.toml", text));
        fragment.problems.dedup();
        let errors: Vec<String> = fragment.problems.errors().map(|p| p.to_string()).collect();
        for expected in [
            "config.toml:3: proxy.id: expected a string",
            "config.toml:5: network.a.http.bind_address: expected an IP address",
            "config.toml:6: network.a.http.bind_port: expected 1 to 65535, found 70000",
            "config.toml:8: management.enabled: expected true or false",
            "config.toml:10: provider.x.poll_interval_secs: expected 0 to 3600",
            "config.toml:11: network.../up: this is not a valid name",
        ] {
            assert!(errors.iter().any(|e| e.starts_with(expected)), "{expected} in {errors:#?}");
        }
        assert_eq!(errors.len(), 6, "{errors:#?}");
    }

    #[test]
    fn syntax_errors_show_no_values() {
        let text = "[proxy]\nid = \"a\n[mesh.m]\nprovider = \"local\"\njwt_secret = \"hunter2\nmode = 1\n";
        let fragment = Fragment::gateway(&Source::new("config.toml", text));
        assert!(fragment.problems.refuse());
        assert!(!format!("{:?}", fragment.problems).contains("hunter2"));
    }

    /// The message names the character that the parser expected, also when that is a quotation mark.
    #[test]
    fn syntax_errors_name_what_is_missing() {
        for (text, expected) in [
            ("id = \"a\n", "expected a quotation mark at the end of the text"),
            ("id = 'a\n", "expected a single quotation mark at the end of the text"),
            ("id = \"\"\"a\n", "expected three quotation marks at the end of the text"),
            ("id = '''a\n", "expected three single quotation marks at the end of the text"),
            ("[proxy\n", "expected `]`"),
            ("id\n", "expected `=`"),
        ] {
            let fragment = Fragment::part(&Source::new("a.toml", text));
            let first = fragment.problems.errors().next().map(ToString::to_string).unwrap_or_default();
            assert!(first.contains(expected), "{text}: {first}");
        }
    }

    #[test]
    fn unknown_keys_are_collected() {
        let text = "[proxy]\nid = \"a\"\nprimry_provider = \"local\"\n[logging]\nwhatever = 1\n";
        let fragment = Fragment::gateway(&Source::new("config.toml", text));
        assert!(!fragment.problems.refuse(), "the merge decides about them");
        let unknown: Vec<String> = fragment.unknown_keys.iter().map(|key| key.problem.to_string()).collect();
        assert_eq!(unknown.len(), 1, "{unknown:?}");
        assert!(unknown[0].contains("primary_provider"), "{unknown:?}");
    }
}
