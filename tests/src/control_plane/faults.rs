//! Fault injection: faults of the control plane, and the requests they match.

use std::time::Duration;

use serde_json::Value;

use super::rules::{Effect, RequestInfo};

/// A fault injected into a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Responds with this status and JSON. The call is not executed.
    Status(u16, Value),
    /// Responds with this status and `Retry-After`, in seconds. The call is not executed.
    RetryAfter(u16, u64),
    /// Responds with any content type, for example HTML from a proxy. The call is not executed.
    Response {
        /// The status.
        status: u16,
        /// The content type.
        content_type: &'static str,
        /// The body.
        body: String,
    },
    /// Executes the call after a delay.
    Delay(Duration),
    /// Executes the call when the rule is removed.
    Hold,
    /// Accepts the request and never responds. The call is not executed.
    Silence,
    /// Cuts the connection before a response. The call is not executed.
    Cut,
    /// Executes the call and cuts the connection before the response.
    LoseResponse,
    /// Executes the call and cuts the connection within the response's headers.
    HalfHeaders,
    /// Executes the call and cuts the connection in the middle of the response's body.
    HalfBody,
    /// Responds with JSON whose body never ends.
    EndlessBody,
    /// Responds with an endless body, one byte every 20 ms, so that no read times out.
    Drip,
    /// Executes the call and pads the response with spaces to this size in bytes.
    Oversized(usize),
    /// Executes the call and replaces every number by the largest and every date by the last one.
    HugeNumbers,
    /// Executes the call and adds an unknown field to every object in the response.
    MoreFields,
    /// Redirects to this URL with 302. The call is not executed.
    Redirect(String),
    /// Replaces the list's `links.next` by this URL.
    NextLink(String),
    /// Duplicates every entry of the list.
    Repeated,
    /// Reverses the list, but not the sequence of creation times: the entries exchange these.
    Reversed,
    /// Replaces the discovered base URL by this one.
    BaseUrl(String),
}

impl Fault {
    /// An HTML page with this status, as a proxy between gateway and control plane sends it.
    pub fn html(status: u16) -> Self {
        let body = format!("<!doctype html><title>{status}</title><h1>{status} from a proxy</h1>\n");
        Self::Response { status, content_type: "text/html; charset=utf-8", body }
    }

    /// A response with this status and an error body in the control plane's format.
    pub fn status(status: u16) -> Self {
        Self::Status(status, serde_json::json!({ "error": "fault", "message": "injected fault" }))
    }
}

impl Effect for Fault {
    fn is_delay(&self) -> bool {
        matches!(self, Self::Delay(_) | Self::Hold)
    }
}

/// The requests that a fault matches: by default all, any number of times.
#[derive(Clone, Debug, Default)]
pub struct When {
    method: Option<String>,
    path: Option<String>,
    gateway: Option<String>,
    times: Option<usize>,
}

impl When {
    /// Matches a method and a path. `*` in the path matches anything; `/api` prefixes are ignored.
    pub fn call(method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), path: Some(path.to_owned()), ..Self::default() }
    }

    /// Matches a path, with any method.
    pub fn path(path: &str) -> Self {
        Self { path: Some(path.to_owned()), ..Self::default() }
    }

    /// Limits the match to requests of the gateway with this id.
    #[must_use]
    pub fn of_gateway(mut self, id: &str) -> Self {
        self.gateway = Some(id.to_owned());
        self
    }

    /// Limits the match to the next `times` requests.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// Returns true if the request matches, and counts it.
    pub(crate) fn matches(&mut self, request: &RequestInfo<'_>) -> bool {
        let matches = self.times != Some(0)
            && self.method.as_ref().is_none_or(|method| request.method == method)
            && self.path.as_ref().is_none_or(|path| glob(path, request.route))
            && self.gateway.as_ref().is_none_or(|gateway| Some(gateway.as_str()) == request.gateway_id);
        if matches {
            self.times = self.times.map(|times| times - 1);
        }
        matches
    }
}

fn glob(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((start, rest)) => path.strip_prefix(start).is_some_and(|path| {
            path.char_indices().map(|(at, _)| at).chain([path.len()]).any(|at| glob(rest, &path[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_star_matches_anything() {
        assert!(glob("/harmony/changes*", "/harmony/changes/01H"));
        assert!(glob("/harmony/change/*/applied", "/harmony/change/01H/applied"));
        assert!(!glob("/harmony/change/*/applied", "/harmony/change/01H/failed"));
        assert!(!glob("/harmony/changes", "/harmony/changes/01H"));
    }
}
