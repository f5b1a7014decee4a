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

/// The ids of the transforms that a pipeline document needs: `spec_path = "<id>.json"` of its middleware of
/// the type `transform`. What does not parse needs none: the host will say what is wrong with it.
pub(crate) fn needed(document: &str) -> BTreeSet<String> {
    let Ok(pipeline) = toml::from_str::<Pipeline>(document) else { return BTreeSet::new() };
    pipeline
        .middleware
        .into_values()
        .filter(|middleware| middleware.kind == "transform")
        .filter_map(|middleware| middleware.options.spec_path)
        .map(|path| path.strip_suffix(".json").unwrap_or(&path).to_owned())
        .collect()
}

/// Whether `id` can be the id of a transform, so that it may stand in a URL and become a file name.
pub(crate) fn is_transform_id(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    !id.is_empty() && id.len() <= 64 && id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_are_found_by_the_middleware_that_names_them() {
        let document = "[middleware.a]\ntype = \"transform\"\noptions.spec_path = \"01H.json\"\n\
                        [middleware.b]\ntype = \"passthru\"\n[pipelines.x]\nmiddleware = [\"a\"]\n";
        assert_eq!(needed(document).into_iter().collect::<Vec<_>>(), ["01H"]);
        assert!(needed("no toml").is_empty());
    }
}
