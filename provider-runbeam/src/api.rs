//! The HTTP client of the control plane: discovery, requests, limits.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use provider_api::{Clock, Error, ErrorKind, Result};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;
use url::Url;

use crate::call::Call;
use crate::error_response::{self, ErrorResponse};
use crate::pool::Pool;
use crate::purpose::Purpose;
use crate::urls::{append_path, same_origin_url};
use crate::wire::BaseUrl;

/// The largest response body in bytes.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// A client of the control plane's HTTP API.
///
/// Credentials go to the configured origin only: redirects are not followed, and a URL of another origin in a
/// discovery response or a pagination link is an error.
#[derive(Debug)]
pub(crate) struct Api {
    pool: Arc<Pool>,
    clock: Arc<dyn Clock>,
    configured: Url,
    /// The base URL that the control plane named, see [`Api::base`].
    discovered: OnceCell<Url>,
}

/// The response to a conditional request (RFC 9110, section 13).
pub(crate) enum Conditional<T> {
    NotModified,
    Modified(T, HeaderMap),
}

impl Api {
    pub(crate) fn new(pool: Arc<Pool>, clock: Arc<dyn Clock>, configured: Url) -> Self {
        Self { pool, clock, configured, discovered: OnceCell::new() }
    }

    /// Returns the configured URL.
    pub(crate) fn configured(&self) -> &Url {
        &self.configured
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Runs `call`, which may take several requests, with the deadline of a call.
    pub(crate) async fn with_deadline<T>(
        &self,
        action: &str,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let limit = self.pool.deadlines().call();
        tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
            Err(Error::unavailable(format!("{action}: the call took longer than {} s", limit.as_secs())))
        })
    }

    /// Sends a GET to a URL of the configured origin and decodes the JSON response.
    pub(crate) async fn get<T: DeserializeOwned>(&self, call: &Call<'_>, url: Url) -> Result<(T, HeaderMap)> {
        match self.get_conditional(call, url, None).await? {
            Conditional::Modified(answer, headers) => Ok((answer, headers)),
            Conditional::NotModified => Err(Error::unavailable(format!(
                "{}: the control plane answered 304 to a request without an ETag",
                call.action
            ))),
        }
    }

    /// Sends a GET with the ETag of an earlier response in `If-None-Match`.
    pub(crate) async fn get_conditional<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        url: Url,
        etag: Option<&HeaderValue>,
    ) -> Result<Conditional<T>> {
        let response = self.send(call, Method::GET, url, etag, None).await?;
        if response.status() == StatusCode::NOT_MODIFIED && etag.is_some() {
            self.record_response(call, response.status());
            return Ok(Conditional::NotModified);
        }
        let headers = response.headers().clone();
        let body = self.successful_body(call, response, MAX_BYTES).await?;
        Ok(Conditional::Modified(decode_answer(call, &body)?, headers))
    }

    /// Returns the undecoded JSON response to a GET, at most `limit` bytes.
    pub(crate) async fn get_bytes(&self, call: &Call<'_>, url: Url, limit: usize) -> Result<Bytes> {
        let response = self.send(call, Method::GET, url, None, None).await?;
        self.successful_body(call, response, limit).await
    }

    /// Sends a POST with a JSON body to a path below the API's base URL and decodes the JSON response.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        let url = self.url(call, path, &[]).await?;
        let body = serde_json::to_vec(body).map_err(|e| {
            Error::invalid(format!("{}: cannot serialize the request", call.action)).with_source(e)
        })?;
        let response = self.send(call, Method::POST, url, None, Some(body)).await?;
        let body = self.successful_body(call, response, MAX_BYTES).await?;
        decode_answer(call, &body)
    }

    /// Returns the URL of `path` below the API's base URL, with the segments of `last` appended and encoded.
    pub(crate) async fn url(&self, call: &Call<'_>, path: &str, last: &[&str]) -> Result<Url> {
        Ok(append_path(self.base(call).await?, path, last))
    }

    /// Returns the base URL of the API, which the control plane names.
    ///
    /// Only a successful discovery is cached. After an error, such as a URL of another origin, the next call repeats
    /// it.
    pub(crate) async fn base(&self, call: &Call<'_>) -> Result<&Url> {
        self.discovered.get_or_try_init(|| self.discover(call)).await
    }

    async fn discover(&self, call: &Call<'_>) -> Result<Url> {
        let action = format!("{}, discovering the base URL of the API", call.action);
        let call = Call { action: &action, ..*call };
        let mut answered_page = false;
        for path in ["harmony/base-url", "api/harmony/base-url"] {
            let url = append_path(&self.configured, path, &[]);
            let response = self.send(&call, Method::GET, url, None, None).await?;
            // A website on the same host may answer every path with a page, so the second path is tried as well.
            if response.status().is_success() && !is_json(response.headers()) {
                answered_page = true;
                continue;
            }
            match self.successful_body(&call, response, MAX_BYTES).await {
                Ok(body) => return self.discovered_url(&action, &decode(&action, &body)?),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        match answered_page {
            true => Err(Error::unavailable(format!(
                "{action}: the control plane answered with a page, not with JSON"
            ))),
            false => Ok(self.configured.clone()),
        }
    }

    fn discovered_url(&self, action: &str, answer: &BaseUrl) -> Result<Url> {
        let mut named = [&answer.full_url, &answer.base_url].into_iter().flatten();
        let named = named
            .find(|url| !url.trim().is_empty())
            .ok_or_else(|| Error::unavailable(format!("{action}: the response has no `base_url`")))?;
        let mut url = same_origin_url(action, &self.configured, &self.configured, named)?;
        url.set_query(None);
        url.set_fragment(None);
        Ok(url)
    }

    async fn send(
        &self,
        call: &Call<'_>,
        method: Method,
        url: Url,
        etag: Option<&HeaderValue>,
        body: Option<Vec<u8>>,
    ) -> Result<Response> {
        let mut request = self.pool.client().await?.request(method, url).header(ACCEPT, "application/json");
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag.clone());
        }
        if let Some(token) = call.bearer.token() {
            request = request.bearer_auth(token.expose());
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        request.send().await.map_err(|e| transport_error(call.action, e))
    }

    /// Records whether the control plane refused the credential.
    ///
    /// Only a request with the purpose [`Purpose::Gateway`] clears an earlier refusal: a credential may be good for
    /// a resource and not for the list of changes.
    fn record_response(&self, call: &Call<'_>, status: StatusCode) {
        let own = call.purpose == Purpose::Gateway;
        if status == StatusCode::UNAUTHORIZED || (own && status == StatusCode::FORBIDDEN) {
            call.bearer.record_refusal(true);
        } else if own && (status.is_success() || status == StatusCode::NOT_MODIFIED) {
            call.bearer.record_refusal(false);
        }
    }

    /// Returns the body of a successful JSON response.
    async fn successful_body(&self, call: &Call<'_>, response: Response, limit: usize) -> Result<Bytes> {
        let (status, headers) = (response.status(), response.headers().clone());
        self.record_response(call, status);
        let body = read_limited(call, response, limit).await;
        if !status.is_success() {
            let response = ErrorResponse { status, headers: &headers, body: &body.unwrap_or_default() };
            return Err(error_response::to_error(
                call.action,
                call.purpose,
                &response,
                call.bearer.token(),
                self.now(),
            ));
        }
        if !is_json(&headers) {
            return Err(Error::unavailable(format!(
                "{}: the control plane answered {status}, not with JSON",
                call.action
            )));
        }
        body
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

async fn read_limited(call: &Call<'_>, mut response: Response, limit: usize) -> Result<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| transport_error(call.action, e))? {
        if body.len() + chunk.len() > limit {
            return Err(call.unusable(&format!("the response has more than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Decodes an answer. JSON that ends too early may come whole the next time; wrong fields stay wrong.
fn decode_answer<T: DeserializeOwned>(call: &Call<'_>, body: &[u8]) -> Result<T> {
    match serde_json::from_slice::<T>(body) {
        Err(e) if e.is_data() => {
            let (line, column) = (e.line(), e.column());
            Err(call.unusable(&format!("cannot decode the response, at {line}:{column}")))
        }
        _ => decode(call.action, body),
    }
}

pub(crate) fn decode<T: DeserializeOwned>(action: &str, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|e| {
        // The error of serde_json may quote the response, which may hold a token. The position is enough.
        let (line, column) = (e.line(), e.column());
        Error::unavailable(format!("{action}: cannot decode the response, at {line}:{column}"))
    })
}

fn transport_error(action: &str, error: reqwest::Error) -> Error {
    let reason = if error.is_timeout() {
        "the control plane did not answer in time"
    } else if error.is_connect() {
        "the control plane cannot be reached"
    } else {
        "the connection to the control plane was interrupted"
    };
    Error::unavailable(format!("{action}: {reason}")).with_source(error.without_url())
}
