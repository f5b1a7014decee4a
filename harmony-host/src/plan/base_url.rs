//! Base URLs: the URLs of upstreams.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use http::HeaderValue;
use http::uri::{Authority, Scheme};
use provider_api::{InvalidPath, UrlPath};
use url::Url;

use crate::http::base_url::base_url;
use crate::http::url_prefix::UrlPrefix;

/// A URL that the paths of requests are appended to.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    /// A hash of scheme and authority, by which the connections to the server are found.
    pub(crate) origin_hash: u64,
    /// The authority as the value of the Host header.
    pub(crate) host: HeaderValue,
    /// The path, without a trailing slash.
    pub(crate) path: String,
    pub(crate) prefix: UrlPrefix,
}

impl BaseUrl {
    /// Returns scheme, host and port as text.
    #[cfg(feature = "gateway")]
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// Creates the base URL of `url`.
    ///
    /// # Errors
    /// The reason for which requests cannot be sent there.
    pub(crate) fn new(url: &Url) -> Result<Self, String> {
        let prefix = UrlPrefix::of(url)?;
        let path = UrlPath::parse(url.path()).map_err(InvalidPath::as_str)?;
        let host = url.host_str().ok_or("expected a host")?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let host = HeaderValue::from_str(&authority).map_err(|e| e.to_string())?;
        let scheme = if url.scheme() == "https" { Scheme::HTTPS } else { Scheme::HTTP };
        let authority = Authority::try_from(authority).map_err(|e| e.to_string())?;
        let mut hasher = DefaultHasher::new();
        (&scheme, &authority).hash(&mut hasher);
        Ok(Self {
            origin_hash: hasher.finish(),
            host,
            scheme,
            authority,
            path: path.as_str().trim_end_matches('/').to_owned(),
            prefix,
        })
    }

    /// Parses a base URL.
    ///
    /// # Errors
    /// The reason for which requests cannot be sent there. The message does not repeat the URL: it may hold a password.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        Self::new(&base_url(url)?)
    }

    /// Joins the base and the rest of a path with exactly one slash.
    pub(crate) fn join(&self, rest: &str) -> String {
        // A target that starts with two slashes is read as `//host/path` by some servers (RFC 3986, section 4.2).
        let rest = match self.path.is_empty() && rest.starts_with('/') {
            true => rest.trim_start_matches('/'),
            false => rest,
        };
        let mut path = String::with_capacity(self.path.len() + rest.len() + 1);
        path.push_str(&self.path);
        if !rest.is_empty() && !rest.starts_with('/') || path.is_empty() {
            path.push('/');
        }
        path.push_str(rest);
        path
    }
}
