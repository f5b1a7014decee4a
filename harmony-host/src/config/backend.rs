//! The sections `[backends.*]` and `[targets.*]`.

use std::sync::Arc;
use std::time::Duration;

use crate::config::connection::Connection;
use crate::config::pipeline::{enabled, optional};
use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// `[backends.<name>]`: the exit of a pipeline, which sends requests on.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    /// The name.
    pub(crate) name: String,
    /// The `id`, if it has one.
    pub(crate) id: Option<String>,
    /// The place of the definition.
    pub(crate) place: Place,
    /// The service that sends the requests.
    pub(crate) service: Spanned<String>,
    /// The value of `options.base_url`, or of `options.url`.
    pub(crate) base_url: Option<Spanned<String>>,
    /// The path that precedes the path of each request, after the path of the destination.
    pub(crate) path_prefix: Option<Spanned<String>>,
    /// The name of a `[targets.*]`, or a resource reference.
    pub(crate) target_ref: Option<Spanned<String>>,
    /// The connection settings. They override those of the target.
    pub(crate) connection: Arc<Connection>,
    /// The timeout and retries. They override those of the target.
    pub(crate) timing: Timing,
    /// The protocols that clients may switch to.
    pub(crate) upgrades: Vec<String>,
    /// The name of the `[authentications.*]` for the sent requests.
    pub(crate) authentication: Option<Spanned<String>>,
    /// The options that this host does not support: they change the sent request.
    pub(crate) unserved_options: Vec<Spanned<&'static str>>,
}

/// `[targets.<name>]`: a system that backends send to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The name.
    pub(crate) name: String,
    /// The place of the definition.
    pub(crate) place: Place,
    /// The connection settings.
    pub(crate) connection: Arc<Connection>,
    /// The timeout and retries.
    pub(crate) timing: Timing,
    /// The name of the `[authentications.*]` for the sent requests.
    pub(crate) authentication: Option<Spanned<String>>,
    /// The value of `enabled`, `true` unless configured.
    pub(crate) enabled: bool,
}

/// The timeout and the number of retries of a backend or target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timing {
    timeout: Option<Duration>,
    max_retries: Option<u32>,
}

impl Timing {
    fn read(section: &Section<'_>, problems: &mut Problems) -> Self {
        Self {
            timeout: section.integer("timeout_secs", 1..=300, problems).map(|s| Duration::from_secs(s.value)),
            max_retries: section
                .integer("max_retries", 0..=10, problems)
                .and_then(|n| u32::try_from(n.value).ok()),
        }
    }

    /// Returns these values, with the values of `fallback` where these are absent.
    pub(crate) fn with_fallback(&self, fallback: &Self) -> Self {
        Self {
            timeout: self.timeout.or(fallback.timeout),
            max_retries: self.max_retries.or(fallback.max_retries),
        }
    }

    /// Returns the idle timeout: the longest time in which nothing may arrive; 30 s unless configured.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(30))
    }

    /// Returns the limit of retries, for requests that are safe to repeat; 3 unless configured.
    pub(crate) fn max_retries(&self) -> u32 {
        self.max_retries.unwrap_or(3)
    }
}

impl Backend {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let service = section.required_text("service", problems);
        let options = section.section("options", problems);
        let (mut base_url, mut path_prefix) = (None, None);
        let mut connection = Connection::read(section, problems);
        let mut timing = Timing::read(section, problems);
        let mut unserved_options = Vec::new();
        if let Some(options) = &options
            && service.as_ref().is_some_and(|s| s.value == "http")
        {
            base_url = options.text("base_url", problems).or_else(|| options.text("url", problems));
            path_prefix = options.text("path_prefix", problems);
            let ca_cert = options.text("ca_cert_path", problems);
            if let (Some(at), Some(other)) = (&ca_cert, &connection.ca_cert)
                && at.value != other.value
            {
                let message = format!("`connection.ca_cert_path` names another file ({})", other.place);
                problems
                    .error(Some(&at.place), options.key("ca_cert_path"), message)
                    .help("delete one of them");
            }
            connection.ca_cert = ca_cert.or(connection.ca_cert);
            timing = timing.with_fallback(&Timing::read(options, problems));
            for key in ["method", "headers"] {
                if options.has(key) {
                    unserved_options.push(Spanned::new(key, options.place().clone()));
                }
            }
        }
        let backend = Self {
            name,
            id: optional(section, "id", problems),
            place: section.place().clone(),
            service: service?,
            base_url,
            path_prefix,
            target_ref: section.text("target_ref", problems),
            connection: connection.shared(),
            timing,
            upgrades: upgrades(section, problems),
            authentication: section.text("authentication", problems),
            unserved_options,
        };
        Some(backend)
    }
}

/// Reads the protocols that clients may switch to.
fn upgrades(section: &Section<'_>, problems: &mut Problems) -> Vec<String> {
    const KEY: &str = "upgrades";
    if !section.has(KEY) {
        return vec!["websocket".to_owned()];
    }
    let mut names = Vec::new();
    for name in section.texts(KEY, problems) {
        let lower = name.value.to_ascii_lowercase();
        let is_token = !lower.is_empty()
            && lower.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/".contains(&b));
        let product = lower.split('/').next().unwrap_or_default();
        let message = if !is_token {
            "expected the name of a protocol, such as `websocket`"
        } else if matches!(product, "h2c" | "h2" | "http" | "tls") {
            // Each request in such a tunnel would pass the gateway without being routed and admitted.
            "requests in a tunnel of this protocol would not be admitted by this gateway"
        } else {
            names.push(name.value);
            continue;
        };
        problems.error(Some(&name.place), section.key(KEY), message);
    }
    names
}

impl Target {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Self {
        let mut connection = Connection::read(section, problems);
        if connection.protocol.is_none() {
            connection.protocol =
                section.text("protocol", problems).or_else(|| section.text("type", problems));
        }
        if connection.host.is_none() {
            connection.host = section.text("url", problems);
        }

        Self {
            name,
            place: section.place().clone(),
            connection: connection.shared(),
            timing: Timing::read(section, problems),
            authentication: section.text("authentication", problems),
            enabled: enabled(section, problems),
        }
    }
}
