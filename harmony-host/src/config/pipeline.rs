use provider_api::Mode;

use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// `[pipelines.<name>]`: endpoints, middleware and backends in one chain.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    /// Its name.
    pub(crate) name: String,
    /// Its `id`, when it has one.
    pub(crate) id: Option<String>,
    /// Where it was written.
    pub(crate) place: Place,
    /// What its owner says about it.
    pub(crate) description: Option<String>,
    /// The networks it listens on.
    pub(crate) networks: Vec<Spanned<String>>,
    /// Where requests enter.
    pub(crate) endpoints: Vec<Spanned<String>>,
    /// What requests pass, in order; both sides of a split configuration.
    pub(crate) middleware: Vec<Spanned<String>>,
    /// Where requests leave; the first is the one that is used.
    pub(crate) backends: Vec<Spanned<String>>,
    /// `[pipelines.<name>.mesh.ingress.*]`
    pub(crate) ingress: Vec<Ingress>,
    /// `[pipelines.<name>.mesh.egress.*]`
    pub(crate) egress: Vec<Egress>,
}

/// URLs under which a pipeline can be reached.
#[derive(Clone, Debug)]
pub(crate) struct Ingress {
    /// Its name.
    pub(crate) name: String,
    /// Its `id`, when it has one.
    pub(crate) id: Option<String>,
    /// Where it was written.
    pub(crate) place: Place,
    /// The URLs: scheme, host, port and path prefix.
    pub(crate) urls: Vec<Spanned<String>>,
    /// The endpoint it leads to; the pipeline's first when absent.
    pub(crate) endpoint: Option<Spanned<String>>,
    /// Who may pass.
    pub(crate) mode: Mode,
    /// `http` or `http3`.
    pub(crate) protocol: Option<String>,
    /// Whether it is in use.
    pub(crate) enabled: bool,
    /// What its owner says about it.
    pub(crate) description: Option<String>,
}

/// A way out of a pipeline towards a mesh.
#[derive(Clone, Debug)]
pub(crate) struct Egress {
    /// Its name.
    pub(crate) name: String,
    /// Its `id`, when it has one.
    pub(crate) id: Option<String>,
    /// Where it was written.
    pub(crate) place: Place,
    /// The backend requests leave through; the pipeline's first when absent.
    pub(crate) backend: Option<Spanned<String>>,
    /// Who may pass.
    pub(crate) mode: Mode,
    /// `http` or `http3`.
    pub(crate) protocol: Option<String>,
    /// Whether it is in use.
    pub(crate) enabled: bool,
    /// What its owner says about it.
    pub(crate) description: Option<String>,
}

/// The two protocols a mesh, ingress or egress may name.
pub(crate) const PROTOCOLS: [(&str, &str); 2] = [("http", "http"), ("http3", "http3")];

const MODES: [(&str, Mode); 2] = [("default", Mode::Default), ("mesh", Mode::Mesh)];

impl Pipeline {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Self {
        let middleware = if section.is_table("middleware") {
            section.section("middleware", problems).map_or_else(Vec::new, |split| {
                let mut both = split.texts("left", problems);
                both.extend(split.texts("right", problems));
                split.finish(problems);
                both
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
            mesh.finish(problems);
        }
        let pipeline = Self {
            name,
            id: optional(section, "id", problems),
            place: section.place().clone(),
            description: optional(section, "description", problems),
            networks: section.texts("networks", problems),
            endpoints: section.texts("endpoints", problems),
            middleware,
            backends: section.texts("backends", problems),
            ingress,
            egress,
        };
        section.finish(problems);
        pipeline
    }
}

impl Ingress {
    fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Self {
        let urls = section.texts("urls", problems);
        if urls.is_empty() {
            problems
                .error(Some(section.place()), section.path(), "an ingress needs at least one URL")
                .help("add `urls = [\"https://api.example.com/r4\"]`");
        }
        let ingress = Self {
            name,
            id: optional(section, "id", problems),
            place: section.place().clone(),
            urls,
            endpoint: section.text("endpoint", problems),
            mode: section.word("mode", &MODES, problems).map(|m| m.value).unwrap_or_default(),
            protocol: protocol(section, problems),
            enabled: enabled(section, problems),
            description: optional(section, "description", problems),
        };
        section.finish(problems);
        ingress
    }
}

impl Egress {
    fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Self {
        let egress = Self {
            name,
            id: optional(section, "id", problems),
            place: section.place().clone(),
            backend: section.text("backend", problems),
            mode: section.word("mode", &MODES, problems).map(|m| m.value).unwrap_or_default(),
            protocol: protocol(section, problems),
            enabled: enabled(section, problems),
            description: optional(section, "description", problems),
        };
        section.finish(problems);
        egress
    }
}

pub(crate) fn optional(section: &Section<'_>, key: &'static str, problems: &mut Problems) -> Option<String> {
    section.text(key, problems).map(|text| text.value)
}

pub(crate) fn enabled(section: &Section<'_>, problems: &mut Problems) -> bool {
    section.flag("enabled", problems).is_none_or(|flag| flag.value)
}

fn protocol(section: &Section<'_>, problems: &mut Problems) -> Option<String> {
    section.word("type", &PROTOCOLS, problems).map(|word| word.value.to_owned())
}
