//! The section `[proxy]`.

use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// `[proxy]`: the identity of the gateway and the directories of its other files.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    /// The place of the definition.
    pub(crate) place: Place,
    /// The value of `id`, or of `name` if `id` is absent.
    pub(crate) id: String,
    /// The directory of the pipeline files, relative to config.toml.
    pub(crate) pipelines_path: Directory,
    /// The directory of the transform files.
    pub(crate) transforms_path: Directory,
    /// The directory of the mesh files.
    pub(crate) mesh_path: Directory,
    /// The time for which a remote provider may cache a key set, in hours.
    pub(crate) jwks_cache_duration_hours: u64,
    /// The size limit of request bodies, in bytes. Bodies are streamed, not buffered, so there is no limit by default.
    pub(crate) max_body_size: Option<u64>,
    /// The value of `primary_provider`, if configured.
    pub(crate) primary_provider: Option<Spanned<String>>,
}

/// A directory of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    /// The path, relative to config.toml.
    pub(crate) path: String,
    /// The configured value; `None` for the default.
    pub(crate) configured: Option<Spanned<String>>,
}

impl Directory {
    /// Returns the prefix of the names of its files.
    pub(crate) fn below(&self) -> String {
        format!("{}/", self.path.trim_end_matches('/'))
    }
}

impl Proxy {
    /// Reads the section; `None` if it is missing.
    pub(crate) fn read(root: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let Some(section) = root.section("proxy", problems) else {
            if !root.has("proxy") {
                problems
                    .error(Some(root.place()), "proxy", "the section [proxy] is missing")
                    .help("add [proxy] with at least `id = \"my-gateway\"`");
            }
            return None;
        };
        let id = section.text("id", problems);
        let name = section.text("name", problems);
        let configured = section.has("id") || section.has("name");
        let blank = id.as_ref().or(name.as_ref()).filter(|text| text.value.trim().is_empty()).cloned();
        let id = id.or(name).filter(|text| !text.value.trim().is_empty());
        if !configured {
            problems
                .error(Some(section.place()), "proxy", "neither `id` nor `name` is set")
                .help("add `id = \"my-gateway\"`");
        } else if let Some(blank) = blank {
            problems.error(Some(&blank.place), "proxy.id", "expected a non-empty name for this gateway");
        }
        let limits = section.section("content_limits", problems);
        let proxy = Self {
            place: section.place().clone(),
            id: id.map(|id| id.value).unwrap_or_default(),
            pipelines_path: directory(&section, "pipelines_path", "pipelines", problems),
            transforms_path: directory(&section, "transforms_path", "transforms", problems),
            mesh_path: directory(&section, "mesh_path", "mesh", problems),
            jwks_cache_duration_hours: section
                .integer("jwks_cache_duration_hours", 1..=168, problems)
                .map_or(24, |hours| hours.value),
            max_body_size: limits
                .and_then(|limits| limits.integer("max_body_size", 1024..=u64::MAX, problems))
                .map(|bytes| bytes.value),
            primary_provider: section.text("primary_provider", problems),
        };
        Some(proxy)
    }
}

fn directory(section: &Section<'_>, key: &'static str, default: &str, problems: &mut Problems) -> Directory {
    let configured = section.text(key, problems).filter(|path| !path.value.trim().is_empty());
    Directory { path: configured.as_ref().map_or(default, |path| &path.value).to_owned(), configured }
}
