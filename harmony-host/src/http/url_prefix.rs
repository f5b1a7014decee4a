use std::fmt;

use url::Url;

use crate::http::base_url::base_url;
use crate::http::path::{owned_segments, strip};

/// `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Cleartext.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// The scheme as it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of a URL that names none.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A URL that stands for everything below it: scheme, host, port and whole path segments.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UrlPrefix {
    scheme: Scheme,
    host: String,
    port: u16,
    segments: Vec<String>,
    written: String,
}

impl UrlPrefix {
    /// Parses an ingress URL.
    ///
    /// # Errors
    /// What is wrong with it, in words for the person who wrote it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = base_url(text)?;
        Self::of(&url)
    }

    /// The prefix a base URL stands for.
    ///
    /// # Errors
    /// When it has no host, or a path that cannot be compared.
    pub(crate) fn of(url: &Url) -> Result<Self, String> {
        let scheme = if url.scheme() == "https" { Scheme::Https } else { Scheme::Http };
        let host = url.host_str().ok_or("expected a host")?.trim_end_matches('.').to_owned();
        let segments = owned_segments(url.path()).map_err(|_| "expected no . or .. in the path")?;
        let port = url.port().unwrap_or(scheme.default_port());
        Ok(Self { scheme, host, port, segments, written: url.as_str().trim_end_matches('/').to_owned() })
    }

    /// The scheme.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, in lower case.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own where the URL names none.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The path's segments.
    pub(crate) fn segments(&self) -> &[String] {
        &self.segments
    }

    /// Whether scheme, host and port are the same.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        (self.scheme, self.port) == (other.scheme, other.port) && self.host == other.host
    }

    /// Whether `path` on `base`'s origin, below `base`'s path, is below this prefix.
    pub(crate) fn covers(&self, base: &Self, path: &str) -> bool {
        if !self.same_origin(base) {
            return false;
        }
        let common = self.segments.len().min(base.segments.len());
        self.segments[..common] == base.segments[..common] && strip(path, &self.segments[common..]).is_some()
    }

    /// The URL in its normal form.
    pub(crate) fn as_str(&self) -> &str {
        &self.written
    }
}

impl fmt::Display for UrlPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl fmt::Debug for UrlPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> UrlPrefix {
        UrlPrefix::parse(text).unwrap()
    }

    #[test]
    fn case_of_the_host_default_ports_and_slashes_make_no_difference() {
        let plain = prefix("https://api.example.com/r4");
        for same in ["https://API.example.com:443/r4/", "https://api.example.com./%724"] {
            assert!(plain.same_origin(&prefix(same)));
            assert_eq!(plain.segments(), prefix(same).segments());
        }
        assert!(!plain.same_origin(&prefix("http://api.example.com:443/r4")));
    }

    #[test]
    fn a_prefix_covers_whole_segments_below_a_base() {
        let r4 = prefix("https://a/r4");
        assert!(r4.covers(&prefix("https://a/"), "/r4/Patient"));
        assert!(r4.covers(&prefix("https://a/r4/sub"), "/x"));
        assert!(!r4.covers(&prefix("https://a/"), "/r4evil"));
        assert!(!r4.covers(&prefix("https://b/"), "/r4"));
        assert!(!r4.covers(&prefix("https://a/r5"), "/r4"));
    }
}
