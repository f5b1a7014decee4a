//! The options of the export of spans.

use clap::Args;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::host::is_blank;
use crate::otlp::{Endpoint, Exporting, Headers, Sample};

/// The variable with the headers of requests to the collector. They may be secrets, which a command line would show to every
/// user of the machine.
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// The options of the export of spans.
#[derive(Debug, Args)]
pub(super) struct OtlpOptions {
    /// Export a span for each request, and for each attempt at a backend, to an OpenTelemetry collector. Off by default
    ///
    /// The base URL of the collector, such as http://collector:4318: spans are sent to v1/traces below it, over HTTP with
    /// protobuf. OTEL_EXPORTER_OTLP_HEADERS may have headers, such as an API key, as name=value,name=value.
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT", hide_env_values = true)]
    otlp_endpoint: Option<String>,

    /// Export this share of the traces that the gateway begins, from 0 to 1
    ///
    /// A trace of a client is exported if its traceparent is marked as sampled. The others are marked by this share, so that
    /// backends record the same traces.
    #[arg(long, value_name = "RATIO", default_value = "1", value_parser = sample, requires = "otlp_endpoint")]
    otlp_sample: Sample,
}

impl OtlpOptions {
    /// Starts the export, if it is wanted.
    ///
    /// # Errors
    /// The endpoint or the headers are malformed, or the root certificates of this machine cannot be read.
    pub(super) fn start(&self) -> Result<Option<Exporting>, Failure> {
        let Some(endpoint) = &self.otlp_endpoint else { return Ok(None) };
        // Clap would repeat the value, which may hold a password.
        let endpoint: Endpoint = endpoint
            .parse()
            .map_err(|reason| Failure::new(Exit::Usage, format!("--otlp-endpoint: {reason}")))?;
        let headers = match std::env::var_os(HEADERS).filter(|list| !is_blank(list)) {
            None => Headers::default(),
            Some(list) => {
                let list = list.to_str().ok_or("expected text".to_owned());
                let headers = list.and_then(Headers::parse);
                headers.map_err(|reason| Failure::new(Exit::Usage, format!("{HEADERS}: {reason}")))?
            }
        };
        let failed = |error: reqwest::Error| {
            Failure::new(Exit::Machine, format!("cannot create the client of the collector: {error}"))
                .help("check that the root certificates of this machine are readable")
        };
        Exporting::start(endpoint, &headers, self.otlp_sample).map(Some).map_err(failed)
    }
}

fn sample(text: &str) -> Result<Sample, &'static str> {
    let ratio = text.trim().parse().ok();
    ratio.and_then(Sample::new).ok_or("expected a number from 0 to 1, such as 0.1")
}
