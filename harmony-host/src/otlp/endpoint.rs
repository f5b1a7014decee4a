//! The endpoint of a collector.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// The path of traces below a base endpoint (OpenTelemetry, OTLP exporter, "Endpoint URLs for OTLP/HTTP").
const TRACES: &str = "v1/traces";

/// The URL to which spans are sent. It has no credentials, and can be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint(Url);

impl Endpoint {
    /// Returns the URL of traces.
    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// Returns whether the collector is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }
}

impl FromStr for Endpoint {
    type Err = &'static str;

    /// Parses a base endpoint. The message does not repeat it: it may hold a password.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut url = Url::parse(text.trim()).map_err(|_| "expected a URL such as http://collector:4318")?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("expected a URL of http or https, such as http://collector:4318");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the URL must have no credentials; use OTEL_EXPORTER_OTLP_HEADERS");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("the URL must have no query and no fragment");
        }
        let path = format!("{}/{TRACES}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self(url))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_is_added() {
        for (base, url) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("https://collector/", "https://collector/v1/traces"),
            (" https://collector/otlp ", "https://collector/otlp/v1/traces"),
            ("http://[::1]:4318/a/", "http://[::1]:4318/a/v1/traces"),
        ] {
            assert_eq!(base.parse::<Endpoint>().unwrap().to_string(), url);
        }
    }

    #[test]
    fn other_endpoints_are_refused() {
        for base in [
            "",
            "collector:4318",
            "grpc://collector:4317",
            "http://user@collector",
            "http://user:canary@collector",
            "http://:canary@collector",
            "http://collector?key=canary",
            "http://collector#canary",
            "file:///canary",
        ] {
            let refused = base.parse::<Endpoint>().unwrap_err();
            assert!(!refused.contains("canary"), "{base}: {refused}");
        }
    }

    #[test]
    fn loopback_is_this_machine() {
        let is_loopback = |base: &str| base.parse::<Endpoint>().unwrap().is_loopback();
        assert!(
            is_loopback("http://localhost:4318")
                && is_loopback("http://127.0.0.1")
                && is_loopback("http://[::1]")
        );
        assert!(!is_loopback("http://192.0.2.1") && !is_loopback("http://collector"));
    }
}
