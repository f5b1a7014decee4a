//! The transforms that a pipeline needs.

use std::collections::BTreeSet;

use serde::Deserialize;

#[derive(Deserialize)]
struct Pipeline {
    #[serde(default)]
    middleware: std::collections::BTreeMap<String, Middleware>,
}

#[derive(Deserialize)]
struct Middleware {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    options: Options,
}

#[derive(Default, Deserialize)]
struct Options {
    #[serde(default)]
    spec_path: Option<String>,
}

/// Returns the ids of the transforms that a pipeline document needs: `spec_path = "<id>.json"` of its middleware of
/// the type `transform`. A document that does not parse needs none; the host reports the syntax error.
pub(crate) fn required_transforms(document: &str) -> BTreeSet<String> {
    let Ok(pipeline) = toml::from_str::<Pipeline>(document) else { return BTreeSet::new() };
    pipeline
        .middleware
        .into_values()
        .filter(|middleware| middleware.kind == "transform")
        .filter_map(|middleware| middleware.options.spec_path)
        .map(|path| path.strip_suffix(".json").unwrap_or(&path).to_owned())
        .collect()
}

/// Reports whether `id` has the form of a transform id and is therefore safe in a URL and as a file name.
pub(crate) fn is_transform_id(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    !id.is_empty() && id.len() <= 64 && id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_of_middleware_are_found() {
        let document = "[middleware.a]\ntype = \"transform\"\noptions.spec_path = \"01H.json\"\n\
                        [middleware.b]\ntype = \"passthru\"\n[pipelines.x]\nmiddleware = [\"a\"]\n";
        assert_eq!(required_transforms(document).into_iter().collect::<Vec<_>>(), ["01H"]);
        assert!(required_transforms("no toml").is_empty());
    }
}
