//! URL prefixes: the address of an ingress, normalized for comparison.

use std::fmt;

use provider_api::{InvalidPath, UrlPath};
use url::Url;

use crate::http::base_url::base_url;
use crate::http::path::{owned_segments, strip};

/// The scheme of a URL: `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Cleartext.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// Returns the name of the scheme in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Returns the port of a URL that names none.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A URL prefix that covers all URLs below it: scheme, host, port and whole path segments.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UrlPrefix {
    scheme: Scheme,
    host: String,
    port: u16,
    segments: Vec<String>,
    normalized: String,
}

impl UrlPrefix {
    /// Parses an ingress URL.
    ///
    /// # Errors
    /// A description of the mistake, for the author of the configuration.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = base_url(text)?;
        owned_segments(url.path())?;
        Self::of(&url)
    }

    /// Returns the prefix of a base URL.
    ///
    /// # Errors
    /// A description, if the URL has no host or its path has no normal form.
    pub(crate) fn of(url: &Url) -> Result<Self, String> {
        let scheme = if url.scheme() == "https" { Scheme::Https } else { Scheme::Http };
        let host = url.host_str().ok_or("expected a host")?.trim_end_matches('.').to_owned();
        let path = UrlPath::parse(url.path()).map_err(InvalidPath::as_str)?;
        let segments = path.segments().map(|(segment, _)| segment.into_owned()).collect();
        let port = url.port().unwrap_or(scheme.default_port());
        Ok(Self { scheme, host, port, segments, normalized: url.as_str().trim_end_matches('/').to_owned() })
    }

    /// Returns the scheme.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns the host, in lower case.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port; the default port of the scheme if the URL names none.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the normalized segments of the path.
    pub(crate) fn segments(&self) -> &[String] {
        &self.segments
    }

    /// Returns whether scheme, host and port are the same.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        (self.scheme, self.port) == (other.scheme, other.port) && self.host == other.host
    }

    /// Returns whether this prefix covers `path`, taken relative to `base`.
    pub(crate) fn covers(&self, base: &Self, path: &str) -> bool {
        if !self.same_origin(base) {
            return false;
        }
        let common = self.segments.len().min(base.segments.len());
        let Ok(path) = UrlPath::parse(path) else { return false };
        self.segments[..common] == base.segments[..common] && strip(&path, &self.segments[common..]).is_some()
    }

    /// Returns the normalized URL.
    pub(crate) fn as_str(&self) -> &str {
        &self.normalized
    }
}

impl fmt::Display for UrlPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.normalized)
    }
}

impl fmt::Debug for UrlPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.normalized)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> UrlPrefix {
        UrlPrefix::parse(text).unwrap()
    }

    #[test]
    fn equivalent_urls_compare_equal() {
        let plain = prefix("https://api.example.com/r4");
        for same in ["https://API.example.com:443/r4/", "https://api.example.com./%724"] {
            assert!(plain.same_origin(&prefix(same)));
            assert_eq!(plain.segments(), prefix(same).segments());
        }
        assert!(!plain.same_origin(&prefix("http://api.example.com:443/r4")));
    }

    #[test]
    fn prefixes_cover_whole_segments() {
        let r4 = prefix("https://a/r4");
        assert!(r4.covers(&prefix("https://a/"), "/r4/Patient"));
        assert!(r4.covers(&prefix("https://a/r4/sub"), "/x"));
        assert!(!r4.covers(&prefix("https://a/"), "/r4evil"));
        assert!(!r4.covers(&prefix("https://b/"), "/r4"));
        assert!(!r4.covers(&prefix("https://a/r5"), "/r4"));
    }
}
