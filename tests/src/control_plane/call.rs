use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, request};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::answer::Rejection;

/// A request as it was read from the socket.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path as it was sent.
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn new(parts: request::Parts, body: Bytes) -> Self {
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().map(str::to_owned);
        Self { method: parts.method, path, query, headers: parts.headers, body }
    }

    /// The path without its `/api` prefixes. Clients put none, one or two in front, depending on the call and on
    /// the base URL they were given.
    pub(super) fn route(&self) -> &str {
        route(&self.path)
    }

    /// The route's segments, decoded.
    pub(super) fn segments(&self) -> Vec<String> {
        self.route().split('/').skip(1).map(percent_decoded).collect()
    }

    /// The first query parameter of that name.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let pairs = form_urlencoded::parse(self.query.as_deref().unwrap_or_default().as_bytes());
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub(super) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON of a known form. 415 for anything that does not say it is JSON, 400 for what is not, 422
    /// for what has another form.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Rejection> {
        let said = self.header(CONTENT_TYPE).unwrap_or_default();
        let essence = said.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Rejection::unsupported(format!("the body must be application/json, not `{said}`")));
        }
        serde_json::from_slice(&self.body).map_err(|wrong| match wrong.is_data() {
            true => Rejection::unprocessable(wrong.to_string()),
            false => Rejection::bad_request(format!("the body is not JSON: {wrong}")),
        })
    }

    /// That there is no body, or one of JSON. Some clients send `{}` where nothing is expected.
    pub(super) fn no_body(&self) -> Result<(), Rejection> {
        if self.body.is_empty() { Ok(()) } else { self.json::<Nothing>().map(|_| ()) }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// A value that has something in it.
pub(super) fn filled<'a>(name: &str, value: &'a str) -> Result<&'a str, Rejection> {
    match value.trim().is_empty() {
        true => Err(Rejection::unprocessable(format!("`{name}` must not be blank"))),
        false => Ok(value),
    }
}

/// A path without its `/api` prefixes.
pub(crate) fn route(mut path: &str) -> &str {
    for _ in 0..2 {
        match path.strip_prefix("/api") {
            Some(rest) if rest.starts_with('/') => path = rest,
            _ => break,
        }
    }
    path
}

fn percent_decoded(segment: &str) -> String {
    // The form decoder, kept from reading a plus as a space.
    let escaped = segment.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(escaped.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}
