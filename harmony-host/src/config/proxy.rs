//! The section `[proxy]`.

use std::time::Duration;

use crate::config::section::Section;
use crate::config::trusted_proxies::TrustedProxies;
use crate::config::variables;
use crate::diagnostics::bare::name_length;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// The time after which an idle connection of a client is closed, unless configured. It is longer than the 60 s for which common
/// load balancers use a connection again: a request that is sent while the connection closes fails.
const CLIENT_IDLE_TIMEOUT: Duration = Duration::from_secs(75);

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
    /// The proxies in front of the gateway whose headers it believes: none unless configured.
    pub(crate) trusted_proxies: TrustedProxies,
    /// The time after which an idle connection of a client is closed.
    pub(crate) client_idle_timeout: Duration,
    /// The environment variables that documents of a control plane may use: none unless configured.
    pub(crate) remote_env_vars: Vec<String>,
    /// The environment variables that must be set.
    pub(crate) required_env_vars: Vec<String>,
    /// The patterns of further keys whose values are masked and never pushed.
    pub(crate) sensitive_field_patterns: Vec<String>,
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
    /// Returns the directories of pipelines, meshes and transforms, with their keys.
    pub(crate) fn directories(&self) -> [(&'static str, &Directory); 3] {
        [
            ("pipelines_path", &self.pipelines_path),
            ("mesh_path", &self.mesh_path),
            ("transforms_path", &self.transforms_path),
        ]
    }

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
        let required = variable_names(&section, "required_env_vars", problems);
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
            trusted_proxies: TrustedProxies::read(&section, problems),
            client_idle_timeout: section
                .integer("client_idle_timeout_secs", 1..=3600, problems)
                .map_or(CLIENT_IDLE_TIMEOUT, |seconds| Duration::from_secs(seconds.value)),
            remote_env_vars: variable_names(&section, "remote_env_vars", problems)
                .into_iter()
                .map(|name| name.value)
                .collect(),
            required_env_vars: required.iter().map(|name| name.value.clone()).collect(),
            sensitive_field_patterns: patterns(&section, problems),
        };
        for name in required {
            if let Err(reason) = variables::of_process(&name.value) {
                let message = format!("the variable {} {reason}", name.value);
                problems
                    .error(Some(&name.place), section.key("required_env_vars"), message)
                    .help("set it for the gateway's process, or remove it from this list");
            }
        }
        Some(proxy)
    }
}

fn directory(section: &Section<'_>, key: &'static str, default: &str, problems: &mut Problems) -> Directory {
    let configured = section.text(key, problems).filter(|path| !path.value.trim().is_empty());
    Directory { path: configured.as_ref().map_or(default, |path| &path.value).to_owned(), configured }
}

/// Reads a list of names of environment variables.
fn variable_names(section: &Section<'_>, key: &'static str, problems: &mut Problems) -> Vec<Spanned<String>> {
    let (valid, invalid): (Vec<_>, Vec<_>) = section
        .texts(key, problems)
        .into_iter()
        .partition(|name| !name.value.is_empty() && name_length(&name.value) == name.value.len());
    for name in invalid {
        let message = "this is not the name of an environment variable";
        problems
            .error(Some(&name.place), section.key(key), message)
            .help("expected letters, digits and `_`, without the dollar sign");
    }
    valid
}

/// Reads the patterns of sensitive keys. An empty one, or `*` alone, would mask every value.
fn patterns(section: &Section<'_>, problems: &mut Problems) -> Vec<String> {
    let (all, key) = (section.texts("sensitive_field_patterns", problems), "sensitive_field_patterns");
    let mut patterns = Vec::new();
    for pattern in all {
        if pattern.value.chars().all(|c| c == '*' || c.is_whitespace()) {
            let message = "expected a part of a key's name, such as `pin` or `*_key`";
            problems.error(Some(&pattern.place), section.key(key), message);
        } else {
            patterns.push(pattern.value);
        }
    }
    patterns
}
