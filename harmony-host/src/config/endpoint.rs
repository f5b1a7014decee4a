//! The sections `[endpoints.*]`.

use std::sync::Arc;

use crate::config::pipeline::optional;
use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};
use crate::http::path::owned_segments;

/// `[endpoints.<name>]`: the entry of a pipeline, which receives requests.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// The name.
    pub(crate) name: String,
    /// The `id`, if it has one.
    pub(crate) id: Option<String>,
    /// The place of the definition.
    pub(crate) place: Place,
    /// The service that receives the requests.
    pub(crate) service: Spanned<String>,
    /// The prefix of the paths that the endpoint receives.
    pub(crate) path_prefix: Option<Spanned<String>>,
    /// The segments of the prefix; `None` without a prefix, or for one that no request can have.
    pub(crate) segments: Option<Arc<[String]>>,
    /// The name of the `[authentications.*]` that requests must satisfy.
    pub(crate) authentication: Option<Spanned<String>>,
    /// The name of the `[peers.*]` that requests come from.
    pub(crate) peer_ref: Option<Spanned<String>>,
}

/// The services whose endpoints need a path in every host.
const ROUTED_SERVICES: [&str; 2] = ["http", "echo"];

impl Endpoint {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let service = section.required_text("service", problems);
        let options = section.section("options", problems);
        let path_prefix = options.as_ref().and_then(|options| options.text("path_prefix", problems));
        // A path of a wrong type has its error, and is not missing as well.
        if path_prefix.is_none() && options.as_ref().is_some_and(|options| options.has("path_prefix")) {
            return None;
        }
        let endpoint = Self {
            name,
            id: optional(section, "id", problems),
            place: section.place().clone(),
            service: service?,
            segments: path_prefix.as_ref().and_then(|at| owned_segments(&at.value).ok()).map(Arc::from),
            path_prefix,
            authentication: section.text("authentication", problems),
            peer_ref: section.text("peer_ref", problems),
        };
        if endpoint.is_routed() {
            endpoint.check_path(problems);
        }
        Some(endpoint)
    }

    /// Returns the segments of its path, and where the path is written.
    pub(crate) fn path(&self) -> Option<(&[String], &Spanned<String>)> {
        self.segments.as_deref().zip(self.path_prefix.as_ref())
    }

    fn is_routed(&self) -> bool {
        ROUTED_SERVICES.contains(&self.service.value.as_str())
    }

    /// Adds an error for a path that no request can have. A service of the embedding application needs no path.
    pub(crate) fn check_path(&self, problems: &mut Problems) {
        let wrong = match &self.path_prefix {
            None if self.is_routed() => Some((&self.place, "`options.path_prefix` is missing")),
            None => None,
            Some(at) if !at.value.starts_with('/') => Some((&at.place, "expected a path that starts with /")),
            Some(at) if at.value.contains(['?', '#', '*', '{']) => {
                Some((&at.place, "expected a plain path, without patterns and queries"))
            }
            Some(at) if at.value.contains(|c: char| c.is_control() || c.is_whitespace()) => Some((
                &at.place,
                "expected no spaces and no control characters: the path of a request never has them",
            )),
            Some(at) => owned_segments(&at.value).err().map(|message| (&at.place, message)),
        };
        if let Some((place, message)) = wrong {
            let key = format!("endpoints.{}.options.path_prefix", self.name);
            problems.error(Some(place), key, message).help("`path_prefix = \"/\"` takes every path");
        }
    }
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;
    use crate::diagnostics::source::Source;

    fn problems(prefix: &str) -> Vec<String> {
        let text = format!("[endpoints.a]\nservice = \"echo\"\noptions.path_prefix = \"{prefix}\"\n");
        let source = Source::new("pipelines/a.toml", &text);
        let (document, _) = DeTable::parse_recoverable(source.toml());
        let mut problems = Problems::default();
        for (name, section) in Section::root(&source, document.get_ref()).named("endpoints", &mut problems) {
            Endpoint::read(name.to_owned(), &section, &mut problems);
        }
        problems.errors().map(ToString::to_string).collect()
    }

    #[test]
    fn impossible_paths_are_rejected_with_place() {
        for prefix in ["/", "/a/b", "/a%20b", "/é"] {
            assert_eq!(problems(prefix), [""; 0], "{prefix}");
        }
        for prefix in ["/a b", "/a\\r\\nX-Other: 1", "/\\u0000", "/\\u007f", "/\u{a0}", "/\\t"] {
            let messages = problems(prefix);
            assert_eq!(messages.len(), 1, "{prefix}: {messages:?}");
            let start = "pipelines/a.toml:3: endpoints.a.options.path_prefix: expected no spaces";
            assert!(
                messages[0].starts_with(start) && messages[0].contains("takes every path"),
                "{messages:?}"
            );
        }
    }
}
