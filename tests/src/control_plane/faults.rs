use std::time::Duration;

use serde_json::Value;

use super::rules::{Asked, Strikes};

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Another answer, JSON. The call is not carried out.
    Status(u16, Value),
    /// A status with `Retry-After`, in seconds. The call is not carried out.
    RetryAfter(u16, u64),
    /// Another answer of any content type, for example HTML from a proxy. The call is not carried out.
    Answer {
        /// The status.
        status: u16,
        /// The content type.
        content_type: &'static str,
        /// The body.
        body: String,
    },
    /// The call is carried out that much later.
    Delay(Duration),
    /// The call waits until the rule is removed, and is then carried out.
    Hold,
    /// Accepted and never answered. The call is not carried out.
    Silence,
    /// The connection is cut before an answer. The call is not carried out.
    Cut,
    /// The call is carried out and the connection cut before the answer.
    LoseAnswer,
    /// The call is carried out and the connection cut within the headers of the answer.
    HalfHeaders,
    /// The call is carried out and the connection cut in the middle of the answer's body.
    HalfBody,
    /// A JSON answer whose body never ends.
    EndlessBody,
    /// The same, a byte at a time: there is never a long silence.
    Drip,
    /// The answer, made longer than this by spaces that JSON permits.
    Oversized(usize),
    /// The answer, with every number as large and every date as far as can be.
    HugeNumbers,
    /// The answer, with a field in every object that nobody knows yet.
    MoreFields,
    /// 302 to this URL. The call is not carried out.
    Redirect(String),
    /// The list's `links.next` is this URL.
    NextLink(String),
    /// Every entry of the list is in it twice.
    Repeated,
    /// The list is in the opposite order, and so are the times that its entries were made at.
    Reversed,
    /// The base URL that is discovered is this one.
    BaseUrl(String),
}

impl Fault {
    /// A proxy between the gateway and the control plane that says it in HTML.
    pub fn html(status: u16) -> Self {
        let body = format!("<!doctype html><title>{status}</title><h1>{status} from a proxy</h1>\n");
        Self::Answer { status, content_type: "text/html; charset=utf-8", body }
    }

    /// A plain status with an error body as the control plane's own.
    pub fn status(status: u16) -> Self {
        Self::Status(status, serde_json::json!({ "error": "fault", "message": "this was asked for" }))
    }
}

impl Strikes for Fault {
    fn waits(&self) -> bool {
        matches!(self, Self::Delay(_) | Self::Hold)
    }
}

/// Which requests a fault strikes: by default all of them, for ever.
#[derive(Clone, Debug, Default)]
pub struct When {
    method: Option<String>,
    path: Option<String>,
    gateway: Option<String>,
    times: Option<usize>,
}

impl When {
    /// Requests of that method and path. A `*` in the path stands for anything; `/api` prefixes do not count.
    pub fn call(method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), path: Some(path.to_owned()), ..Self::default() }
    }

    /// Requests to that path.
    pub fn path(path: &str) -> Self {
        Self { path: Some(path.to_owned()), ..Self::default() }
    }

    /// Only those of the gateway with that id.
    #[must_use]
    pub fn of_gateway(mut self, id: &str) -> Self {
        self.gateway = Some(id.to_owned());
        self
    }

    /// Only the next so many.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// Whether it strikes this request, which is then one of the times it does.
    pub(crate) fn takes(&mut self, asked: &Asked<'_>) -> bool {
        let takes = self.times != Some(0)
            && self.method.as_ref().is_none_or(|method| asked.method == method)
            && self.path.as_ref().is_none_or(|path| glob(path, asked.route))
            && self.gateway.as_ref().is_none_or(|gateway| Some(gateway.as_str()) == asked.gateway_id);
        if takes {
            self.times = self.times.map(|times| times - 1);
        }
        takes
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
    fn a_star_stands_for_anything() {
        assert!(glob("/harmony/changes*", "/harmony/changes/01H"));
        assert!(glob("/harmony/change/*/applied", "/harmony/change/01H/applied"));
        assert!(!glob("/harmony/change/*/applied", "/harmony/change/01H/failed"));
        assert!(!glob("/harmony/changes", "/harmony/changes/01H"));
    }
}
