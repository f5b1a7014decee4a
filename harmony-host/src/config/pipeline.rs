//! The sections `[pipelines.*]`, with their ingresses and egresses.

use provider_api::Mode;

use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// `[pipelines.<name>]`: a chain of endpoints, middleware and backends.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    /// The name.
    pub(crate) name: String,
    /// The `id`, if it has one.
    pub(crate) id: Option<String>,
    /// The place of the definition.
    pub(crate) place: Place,
    /// The text of `description`.
    pub(crate) description: Option<String>,
    /// The networks on which it receives requests.
    pub(crate) networks: Vec<Spanned<String>>,
    /// The endpoints, where requests enter.
    pub(crate) endpoints: Vec<Spanned<String>>,
    /// Set if `endpoints` has an error, so that a missing endpoint is no further one.
    pub(crate) endpoints_are_wrong: bool,
    /// The middleware in order; `left` before `right` in a split configuration.
    pub(crate) middleware: Vec<Spanned<String>>,
    /// The backends, where requests leave. Only the first one is used.
    pub(crate) backends: Vec<Spanned<String>>,
    /// `[pipelines.<name>.mesh.ingress.*]`
    pub(crate) ingress: Vec<Ingress>,
    /// `[pipelines.<name>.mesh.egress.*]`
    pub(crate) egress: Vec<Egress>,
}

/// `[pipelines.<name>.mesh.ingress.<name>]`: URLs at which mesh members reach a pipeline.
#[derive(Clone, Debug)]
pub(crate) struct Ingress {
    /// The name.
    pub(crate) name: String,
    /// The `id`, if it has one.
    pub(crate) id: Option<String>,
    /// The place of the definition.
    pub(crate) place: Place,
    /// The URLs: scheme, host, port and path prefix.
    pub(crate) urls: Vec<Spanned<String>>,
    /// The endpoint; the first one of the pipeline if absent.
    pub(crate) endpoint: Option<Spanned<String>>,
    /// The admission mode.
    pub(crate) mode: Mode,
    /// The protocol: `http` or `http3`.
    pub(crate) protocol: Option<String>,
    /// The value of `enabled`, `true` unless configured.
    pub(crate) enabled: bool,
    /// The text of `description`.
    pub(crate) description: Option<String>,
}

/// `[pipelines.<name>.mesh.egress.<name>]`: a way out of a pipeline into a mesh.
#[derive(Clone, Debug)]
pub(crate) struct Egress {
    /// The name.
    pub(crate) name: String,
    /// The `id`, if it has one.
    pub(crate) id: Option<String>,
    /// The place of the definition.
    pub(crate) place: Place,
    /// The backend; the first one of the pipeline if absent.
    pub(crate) backend: Option<Spanned<String>>,
    /// The admission mode.
    pub(crate) mode: Mode,
    /// The protocol: `http` or `http3`.
    pub(crate) protocol: Option<String>,
    /// The value of `enabled`, `true` unless configured.
    pub(crate) enabled: bool,
    /// The text of `description`.
    pub(crate) description: Option<String>,
}

/// The protocols that a mesh, ingress or egress may name.
pub(crate) const PROTOCOLS: [(&str, &str); 2] = [("http", "http"), ("http3", "http3")];

/// The admission modes by name.
const MODES: [(&str, Mode); 2] = [("default", Mode::Default), ("mesh", Mode::Mesh)];

impl Pipeline {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Self {
        let middleware = if section.is_table("middleware") {
            section.section("middleware", problems).map_or_else(Vec::new, |split| {
                // `left` and `right` are the older names of the same two sides.
                let sides = ["incoming", "left", "outgoing", "right"];
                if !sides.iter().any(|side| split.has(side)) {
                    problems
                        .error(section.place_of("middleware").as_ref(), split.path(), "this table names no side")
                        .help("expected `incoming` or `outgoing`; to have no middleware, write `middleware = []`");
                }
                sides.into_iter().flat_map(|side| split.texts(side, problems)).collect()
            })
        } else {
            section.texts("middleware", problems)
        };
        let mesh = section.section("mesh", problems);
        let (mut ingress, mut egress) = (Vec::new(), Vec::new());
        if let Some(mesh) = &mesh {
            for (name, section) in mesh.named("ingress", problems) {
                ingress.push(Ingress::read(name, &section, problems));
            }
            for (name, section) in mesh.named("egress", problems) {
                egress.push(Egress::read(name, &section, problems));
            }
        }

        let has_mesh = !ingress.is_empty() || !egress.is_empty();
        let is_served = section.has("endpoints") || section.has("backends");
        if has_mesh && !is_served {
            // The rules were meant for another pipeline, which would be open without them.
            let message = "this pipeline has ingresses or egresses, and neither endpoints nor backends";
            problems
                .error(Some(section.place()), section.path(), message)
                .help("is its name the one of the pipeline that they belong to?");
        }

        Self {
            name,
            id: optional(section, "id", problems),
            place: section.place().clone(),
            description: optional(section, "description", problems),
            networks: section.texts("networks", problems),
            endpoints: section.texts("endpoints", problems),
            endpoints_are_wrong: section.is_no_list("endpoints"),
            middleware,
            backends: section.texts("backends", problems),
            ingress,
            egress,
        }
    }
}

impl Ingress {
    fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Self {
        let urls = section.texts("urls", problems);
        if urls.is_empty() && !section.is_no_list("urls") {
            problems
                .error(Some(section.place()), section.path(), "an ingress needs at least one URL")
                .help("add `urls = [\"https://api.example.com/r4\"]`");
        }

        Self {
            name,
            id: optional(section, "id", problems),
            place: section.place().clone(),
            urls,
            endpoint: section.text("endpoint", problems),
            mode: section.word("mode", &MODES, problems).map(|m| m.value).unwrap_or_default(),
            protocol: protocol(section, problems),
            enabled: enabled(section, problems),
            description: optional(section, "description", problems),
        }
    }
}

impl Egress {
    fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Self {
        Self {
            name,
            id: optional(section, "id", problems),
            place: section.place().clone(),
            backend: section.text("backend", problems),
            mode: section.word("mode", &MODES, problems).map(|m| m.value).unwrap_or_default(),
            protocol: protocol(section, problems),
            enabled: enabled(section, problems),
            description: optional(section, "description", problems),
        }
    }
}

/// Reads an optional string, without its place.
pub(crate) fn optional(section: &Section<'_>, key: &'static str, problems: &mut Problems) -> Option<String> {
    section.text(key, problems).map(|text| text.value)
}

/// Reads `enabled`; `true` if absent.
pub(crate) fn enabled(section: &Section<'_>, problems: &mut Problems) -> bool {
    section.flag("enabled", problems).is_none_or(|flag| flag.value)
}

/// Reads the protocol from `type`.
fn protocol(section: &Section<'_>, problems: &mut Problems) -> Option<String> {
    section.word("type", &PROTOCOLS, problems).map(|word| word.value.to_owned())
}
