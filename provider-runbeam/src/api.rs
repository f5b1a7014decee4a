//! The HTTP client of the control plane: discovery, requests, limits.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use provider_api::{Clock, DisplayDuration, Error, ErrorKind, Result};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use tokio::sync::OnceCell;
use url::Url;

use crate::address::Address;
use crate::call::Call;
use crate::error_response::{self, ErrorResponse};
use crate::pool::Pool;
use crate::purpose::Purpose;
use crate::transport;
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

    /// Returns the configured URL, for messages.
    pub(crate) fn address(&self) -> Address<'_> {
        Address(&self.configured)
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
            Err(Error::unavailable(format!(
                "{action}: the control plane at {} did not finish within {}; it may be overloaded",
                self.address(),
                DisplayDuration(limit)
            )))
        })
    }

    /// Sends a GET to a URL of the configured origin and decodes the JSON response.
    pub(crate) async fn get<T: DeserializeOwned>(&self, call: &Call<'_>, url: Url) -> Result<(T, HeaderMap)> {
        match self.get_conditional(call, url, None).await? {
            Conditional::Modified(answer, headers) => Ok((answer, headers)),
            Conditional::NotModified => Err(Error::unavailable(format!(
                "{}: the control plane at {} answered 304 to a request without an ETag; check the proxies between",
                call.action,
                self.address()
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
        let url = response.url().clone();
        let body = self.successful_body(call, response, MAX_BYTES).await?;
        Ok(Conditional::Modified(decode_answer(call, &url, &body)?, headers))
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
        self.post_to(call, url, body).await
    }

    /// Sends a POST with a JSON body to a URL of the configured origin and decodes the JSON response.
    pub(crate) async fn post_to<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        url: Url,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        let body = serde_json::to_vec(body).map_err(|e| {
            Error::invalid(format!("{}: cannot serialize the request", call.action)).with_source(e)
        })?;
        let response = self.send(call, Method::POST, url, None, Some(body)).await?;
        let url = response.url().clone();
        let body = self.successful_body(call, response, MAX_BYTES).await?;
        decode_answer(call, &url, &body)
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
        let mut page = None;
        for path in ["harmony/base-url", "api/harmony/base-url"] {
            let url = append_path(&self.configured, path, &[]);
            let response = self.send(&call, Method::GET, url.clone(), None, None).await?;
            // A website on the same host may answer every path with a page, so the second path is tried as well.
            if response.status().is_success() && !is_json(response.headers()) {
                page = Some(no_json(&call, &response));
                continue;
            }
            match self.successful_body(&call, response, MAX_BYTES).await {
                Ok(body) => return self.discovered_url(&action, &url, &decode(&action, &url, &body)?),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        page.map_or_else(|| Ok(self.configured.clone()), Err)
    }

    fn discovered_url(&self, action: &str, from: &Url, answer: &BaseUrl) -> Result<Url> {
        let mut named = [&answer.full_url, &answer.base_url].into_iter().flatten();
        let named = named
            .find(|url| !url.trim().is_empty())
            .ok_or_else(|| missing_field(action, Address(from), "base_url"))?;
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
        let mut request =
            self.pool.client().await?.request(method, url.clone()).header(ACCEPT, "application/json");
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag.clone());
        }
        if let Some(token) = call.bearer.token() {
            request = request.bearer_auth(token.expose());
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        request.send().await.map_err(|e| transport::to_error(call.action, &url, self.pool.deadlines(), &e))
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
        let (status, headers, url) = (response.status(), response.headers().clone(), response.url().clone());
        self.record_response(call, status);
        let page = (status.is_success() && !is_json(&headers)).then(|| no_json(call, &response));
        let body = self.read_limited(call, response, limit).await;
        if !status.is_success() {
            let body = body.unwrap_or_default();
            let response = ErrorResponse { url: &url, status, headers: &headers, body: &body };
            return Err(error_response::to_error(call, &response, self.now()));
        }
        page.map_or(body, Err)
    }

    async fn read_limited(&self, call: &Call<'_>, mut response: Response, limit: usize) -> Result<Bytes> {
        let url = response.url().clone();
        let mut body = BytesMut::new();
        let interrupted = |e| transport::to_error(call.action, &url, self.pool.deadlines(), &e);
        while let Some(chunk) = response.chunk().await.map_err(interrupted)? {
            if body.len() + chunk.len() > limit {
                return Err(call.unusable(&format!(
                    "the control plane at {} sent more than {limit} bytes, the maximum of a response",
                    Address(&url)
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = media_type(headers);
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Returns the error for a successful response that is no JSON, such as the page of a website.
fn no_json(call: &Call<'_>, response: &Response) -> Error {
    let kind = match media_type(response.headers()) {
        kind if kind.is_empty() => "a body without a type".to_owned(),
        kind => kind.chars().take(60).collect(),
    };
    Error::unavailable(format!(
        "{}: the control plane at {} answered {} with {kind}, not with JSON; check `api`: this may be a website, or the \
         login page of a network",
        call.action,
        Address(response.url()),
        response.status()
    ))
}

/// Decodes an answer. JSON that ends too early may come whole the next time; wrong fields stay wrong.
fn decode_answer<T: DeserializeOwned>(call: &Call<'_>, url: &Url, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|e| match e.is_data() {
        true => call.unusable(&undecoded(url, &e)),
        false => Error::unavailable(format!("{}: {}", call.action, undecoded(url, &e))),
    })
}

pub(crate) fn decode<T: DeserializeOwned>(action: &str, url: &Url, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|e| Error::unavailable(format!("{action}: {}", undecoded(url, &e))))
}

/// Returns what is wrong with a response. The error of serde_json may quote the response, which may hold a token. The
/// position is enough.
fn undecoded(url: &Url, error: &serde_json::Error) -> String {
    let problem = match error.classify() {
        Category::Data => "JSON with other fields than expected",
        Category::Eof => "JSON that ends too early",
        Category::Syntax | Category::Io => "text that is not valid JSON",
    };
    let (line, column) = (error.line(), error.column());
    format!("the control plane at {} sent {problem}, at line {line}, column {column}", Address(url))
}

/// Returns the error for a response whose `field` is missing or blank.
pub(crate) fn missing_field(action: &str, address: Address<'_>, field: &str) -> Error {
    Error::unavailable(format!(
        "{action}: the control plane at {address} sent a response without a usable `{field}`"
    ))
}
