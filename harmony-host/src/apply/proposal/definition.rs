//! The proposal of a pipeline, mesh or transform.

use std::sync::Arc;

use provider_api::{DocumentKind, RejectionClass};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::apply::proposal::local_keys;
use crate::apply::proposal::proposed::Proposed;
use crate::config::fragment::without_values;
use crate::config::name::is_name;
use crate::diagnostics::source::{Place, Source};
use crate::documents::{editable, public};

/// Proposes the file of a pipeline, mesh or transform. The single key of the section is the name, which also names the
/// file.
pub(super) fn propose(
    proposed: &mut Proposed<'_>,
    kind: &DocumentKind,
    source: &Arc<Source>,
) -> RejectionClass {
    let (document, syntax) = DeTable::parse_recoverable(source.toml());
    if !syntax.is_empty() {
        for error in syntax {
            let place = error.span().map(|span| Place::new(source, span));
            proposed.problems.error(place.as_ref(), source.name(), without_values(error.message()));
        }
        return RejectionClass::Parse;
    }
    let sections: &[&str] = match kind {
        DocumentKind::Pipeline => &["pipelines"],
        DocumentKind::Mesh => &["mesh"],
        _ => &["transform", "transforms"],
    };
    check_sections(proposed, kind, document.get_ref(), source);
    let Some((name, body, place)) = single_table(proposed, document.get_ref(), sections, source) else {
        return RejectionClass::Validate;
    };
    if !is_name(&name) {
        let message = format!("`{}` is not allowed as a file name", name.escape_debug());
        proposed
            .problems
            .error(Some(&place), sections.join(" or "), message)
            .help("expected 1 to 64 of a-z, 0-9, _ and -");
        return RejectionClass::Validate;
    }
    let Some(directory) = proposed.directory(kind) else { return RejectionClass::Dependency };
    if *kind == DocumentKind::Transform {
        return transform(proposed, &name, &body, &place, &directory);
    }
    let file = defining_file(proposed, kind, &name, &directory).unwrap_or(format!("{directory}{name}.toml"));
    let text = match proposed.base.documents.source(&file) {
        Some(own) => {
            let (sensitive, registry) = (own.sensitive(), proposed.base.registry);
            let text = public::with_own_secrets(source.text(), own.text(), &sensitive, registry)
                .unwrap_or_else(|| own.text().to_owned());
            with_local_keys(text, own.text())
        }
        None => source.text().to_owned(),
    };
    proposed.write(file, &text);
    RejectionClass::Validate
}

/// Rejects the sections that a change of this kind cannot have: they would have no effect in its file, or define what belongs to
/// another kind, such as an authentication in the file of a mesh.
fn check_sections(
    proposed: &mut Proposed<'_>,
    kind: &DocumentKind,
    document: &DeTable<'_>,
    source: &Arc<Source>,
) {
    let is_allowed = |section: &str| match kind {
        DocumentKind::Pipeline => !NOT_IN_PIPELINES.contains(&section),
        DocumentKind::Mesh => IN_MESHES.contains(&section),
        _ => IN_TRANSFORMS.contains(&section),
    };
    for (name, _) in document.iter().filter(|(name, _)| !is_allowed(name.get_ref())) {
        let place = Place::new(source, name.span());
        let section: &str = name.get_ref();
        let message =
            format!("a {} change cannot have the section [{}]", kind.as_str(), section.escape_debug());
        proposed.problems.error(Some(&place), section, message).help("send it as a change of its own kind");
    }
}

/// The sections that only config.toml or a change of another kind can have.
const NOT_IN_PIPELINES: [&str; 8] =
    ["proxy", "provider", "network", "management", "runbeam", "mesh", "transform", "transforms"];
const IN_MESHES: [&str; 2] = ["mesh", "remote_ingress"];
const IN_TRANSFORMS: [&str; 2] = ["transform", "transforms"];

/// Returns `text` with the keys of `own` that only the operator may set.
fn with_local_keys(text: String, own: &str) -> String {
    let (Ok(mut incoming), Ok(own)) = (editable::parse(&text), editable::parse(own)) else { return text };
    if local_keys::keep(&mut incoming, &own) { editable::text_of(&incoming) } else { text }
}

/// Returns the only table below `sections`. Adds a problem if there is none, or more than one.
fn single_table<'d>(
    proposed: &mut Proposed<'_>,
    document: &DeTable<'d>,
    sections: &[&str],
    source: &Arc<Source>,
) -> Option<(String, Spanned<DeValue<'d>>, Place)> {
    let shown = sections.iter().map(|s| format!("[{s}.<name>]")).collect::<Vec<_>>().join(" or ");
    let mut found = Vec::new();
    for section in sections {
        let Some(table) = document.get(*section).and_then(|value| value.get_ref().as_table()) else {
            continue;
        };
        for (name, body) in table {
            let place = Place::new(source, name.span());
            found.push((name.get_ref().clone().into_owned(), body.clone(), place));
        }
    }
    let key = sections.first().copied().unwrap_or_default();
    if found.len() > 1 {
        let names: Vec<String> =
            found.iter().map(|(name, ..)| format!("`{}`", name.escape_debug())).collect();
        let message = format!("the change has {} definitions: {}", found.len(), names.join(", "));
        let place = found.get(1).map(|(.., place)| place.clone());
        proposed
            .problems
            .error(place.as_ref(), key, message)
            .help(format!("expected one {shown} in a change"));
        return None;
    }
    let only = found.pop();
    if only.is_none() {
        proposed.problems.error(None, key, format!("expected one {shown}, found none"));
    }
    only
}

/// Proposes the file of a transform: the JSON in its key `instructions`.
fn transform(
    proposed: &mut Proposed<'_>,
    name: &str,
    body: &Spanned<DeValue<'_>>,
    place: &Place,
    directory: &str,
) -> RejectionClass {
    let Some(instructions) = body.get_ref().get("instructions").and_then(|value| value.get_ref().as_str())
    else {
        proposed.problems.error(
            Some(place),
            format!("transform.{name}.instructions"),
            "expected a string that holds JSON",
        );
        return RejectionClass::Validate;
    };
    proposed.json(Some(place), &format!("transform.{name}.instructions"), instructions);
    let (file, text) = (format!("{directory}{name}.json"), instructions.to_owned());
    proposed.write(file, &text);
    RejectionClass::Parse
}

/// Returns the file in `directory` that defines `name` and nothing else. A definition stays in its file, also if an
/// operator chose another file name.
fn defining_file(
    proposed: &Proposed<'_>,
    kind: &DocumentKind,
    name: &str,
    directory: &str,
) -> Option<String> {
    let fragment = proposed.base.defining(kind, name)?;
    let alone = fragment.pipelines.len() + fragment.meshes.len() == 1;
    (alone && fragment.gateway.is_none() && fragment.source.name().starts_with(directory))
        .then(|| fragment.source.name().to_owned())
}
