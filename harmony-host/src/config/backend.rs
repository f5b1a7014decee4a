use std::time::Duration;

use crate::config::connection::Connection;
use crate::config::pipeline::{enabled, optional};
use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// `[backends.<name>]`: where requests leave a pipeline.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    /// Its name.
    pub(crate) name: String,
    /// Its `id`, when it has one.
    pub(crate) id: Option<String>,
    /// Where it was written.
    pub(crate) place: Place,
    /// The service that sends requests on.
    pub(crate) service: Spanned<String>,
    /// `options.base_url`
    pub(crate) base_url: Option<Spanned<String>>,
    /// A `[targets.*]`, or a resource reference.
    pub(crate) target_ref: Option<Spanned<String>>,
    /// Overrides the target's.
    pub(crate) connection: Connection,
    /// Overrides the target's.
    pub(crate) timing: Timing,
    /// A reference to `[authentications.*]` that requests must be sent with.
    pub(crate) authentication: Option<Spanned<String>>,
    /// Options that change what is sent, which this host does not do.
    pub(crate) unserved_options: Vec<Spanned<&'static str>>,
}

/// `[targets.<name>]`: a system that backends send to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its name.
    pub(crate) name: String,
    /// Where it was written.
    pub(crate) place: Place,
    /// Where it is.
    pub(crate) connection: Connection,
    /// How long to wait and how often to try.
    pub(crate) timing: Timing,
    /// A reference to `[authentications.*]` that requests must be sent with.
    pub(crate) authentication: Option<Spanned<String>>,
    /// Whether it may be used.
    pub(crate) enabled: bool,
}

/// How long to wait for an answer and how often to try.
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

    /// These, and `below`'s where these are absent.
    pub(crate) fn over(&self, below: &Self) -> Self {
        Self { timeout: self.timeout.or(below.timeout), max_retries: self.max_retries.or(below.max_retries) }
    }

    /// The longest silence of the other side; 30 s unless configured.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(30))
    }

    /// How many times to try again where that is safe; 3 unless configured.
    pub(crate) fn max_retries(&self) -> u32 {
        self.max_retries.unwrap_or(3)
    }
}

impl Backend {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let service = section.required_text("service", problems);
        let options = section.section("options", problems);
        let mut base_url = None;
        let mut timing = Timing::read(section, problems);
        let mut unserved_options = Vec::new();
        if let Some(options) = &options {
            if service.as_ref().is_some_and(|s| s.value == "http") {
                base_url = options.text("base_url", problems).or_else(|| options.text("url", problems));
                timing = timing.over(&Timing::read(options, problems));
                for key in ["method", "headers"] {
                    if options.has(key) {
                        unserved_options.push(Spanned::new(key, options.place().clone()));
                    }
                }
            }
            options.finish(problems);
        }
        let backend = Self {
            name,
            id: optional(section, "id", problems),
            place: section.place().clone(),
            service: service?,
            base_url,
            target_ref: section.text("target_ref", problems),
            connection: Connection::read(section, problems),
            timing,
            authentication: section.text("authentication", problems),
            unserved_options,
        };
        section.finish(problems);
        Some(backend)
    }
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
        let target = Self {
            name,
            place: section.place().clone(),
            connection,
            timing: Timing::read(section, problems),
            authentication: section.text("authentication", problems),
            enabled: enabled(section, problems),
        };
        section.finish(problems);
        target
    }
}
