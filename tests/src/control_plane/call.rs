//! A request to the API, read and parsed.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, request};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::response::ApiError;

/// A request with its whole body.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path as sent.
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

    /// The path without its `/api` prefixes. Clients send none, one or two, depending on the call and on their base
    /// URL.
    pub(super) fn route(&self) -> &str {
        route(&self.path)
    }

    /// The segments of the route, percent-decoded.
    pub(super) fn segments(&self) -> Vec<String> {
        self.route().split('/').skip(1).map(percent_decoded).collect()
    }

    /// The first query parameter `name`.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let pairs = form_urlencoded::parse(self.query.as_deref().unwrap_or_default().as_bytes());
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub(super) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Parses the body as `T`: 415 if the content type is not JSON, 400 if the body is not JSON, 422 if it is not a
    /// `T`.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let content_type = self.header(CONTENT_TYPE).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(ApiError::unsupported(format!(
                "the body must be application/json, not `{content_type}`"
            )));
        }
        serde_json::from_slice(&self.body).map_err(|error| match error.is_data() {
            true => ApiError::unprocessable(error.to_string()),
            false => ApiError::bad_request(format!("the body is not JSON: {error}")),
        })
    }

    /// Accepts an absent body or an empty JSON object. Some clients send `{}` where no body is expected.
    pub(super) fn no_body(&self) -> Result<(), ApiError> {
        if self.body.is_empty() { Ok(()) } else { self.json::<Empty>().map(|_| ()) }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

/// Returns `value`, or 422 if it is blank.
pub(super) fn non_blank<'a>(name: &str, value: &'a str) -> Result<&'a str, ApiError> {
    match value.trim().is_empty() {
        true => Err(ApiError::unprocessable(format!("`{name}` must not be blank"))),
        false => Ok(value),
    }
}

/// Removes up to two `/api` prefixes.
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
    // The form decoder would read `+` as a space and split at `&` and `=`.
    let escaped = segment.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(escaped.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}
