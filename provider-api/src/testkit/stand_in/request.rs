//! A request that the stand-in received.

use serde_json::Value;

/// A request that the stand-in received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The path, not decoded.
    pub path: String,
    /// The query without its call mark, not decoded.
    pub query: String,
    /// The headers in their order, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// Returns the value of the first header with that name. `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the bearer token.
    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// Decodes the body as JSON. Returns null when that fails.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Decodes the head of a request, without the blank line at its end. Also returns the content length.
    pub(super) fn of_head(head: &str) -> Option<(Self, usize)> {
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers = lines.filter_map(header).collect();
        let (path, query) = (path.to_owned(), query.to_owned());
        let request = Self { method, path, query, headers, body: Vec::new() };
        let length = request.header("content-length").map_or(Some(0), |text| text.parse().ok())?;
        Some((request, length))
    }
}
