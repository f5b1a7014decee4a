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

use crate::base::{below, own};
use crate::call::Call;
use crate::pool::Pool;
use crate::status::{self, Asking, Refusal};
use crate::wire::BaseUrl;

/// The most bytes of an answer that are read.
pub(crate) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The control plane's HTTP API. Credentials go to the configured origin and nowhere else: redirects are
/// not followed, and what discovery or pagination names elsewhere is refused.
#[derive(Debug)]
pub(crate) struct Api {
    pool: Arc<Pool>,
    clock: Arc<dyn Clock>,
    configured: Url,
    discovered: OnceCell<Url>,
}

/// An answer to a question that may be asked again.
pub(crate) enum Conditional<T> {
    Same,
    New(T, HeaderMap),
}

impl Api {
    pub(crate) fn new(pool: Arc<Pool>, clock: Arc<dyn Clock>, configured: Url) -> Self {
        Self { pool, clock, configured, discovered: OnceCell::new() }
    }

    /// The configured URL.
    pub(crate) fn configured(&self) -> &Url {
        &self.configured
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Bounds a call that may be several exchanges.
    pub(crate) async fn bounded<T>(&self, what: &str, call: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.pool.deadlines().call();
        tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
            Err(Error::unavailable(format!("{what}: it took longer than {} s altogether", limit.as_secs())))
        })
    }

    /// GET of a URL of the configured origin, as JSON.
    pub(crate) async fn get<T: DeserializeOwned>(&self, call: &Call<'_>, url: Url) -> Result<(T, HeaderMap)> {
        match self.get_if_new(call, url, None).await? {
            Conditional::New(answer, headers) => Ok((answer, headers)),
            Conditional::Same => {
                Err(Error::unavailable(format!("{}: not modified, and nothing was known", call.what)))
            }
        }
    }

    /// The same with the ETag of the last time.
    pub(crate) async fn get_if_new<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        url: Url,
        etag: Option<&HeaderValue>,
    ) -> Result<Conditional<T>> {
        let response = self.exchange(call, Method::GET, url, etag, None).await?;
        if response.status() == StatusCode::NOT_MODIFIED && etag.is_some() {
            self.heard(call, response.status());
            return Ok(Conditional::Same);
        }
        let headers = response.headers().clone();
        let body = self.accepted(call, response, MAX_BYTES).await?;
        Ok(Conditional::New(decode(call.what, &body)?, headers))
    }

    /// The bytes of a JSON answer of at most `limit` bytes, for who decodes it another way.
    pub(crate) async fn get_bytes(&self, call: &Call<'_>, url: Url, limit: usize) -> Result<Bytes> {
        let response = self.exchange(call, Method::GET, url, None, None).await?;
        self.accepted(call, response, limit).await
    }

    /// POST of JSON to a path below the API's base, with JSON for an answer.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        let url = self.url(call, path, &[]).await?;
        let body = serde_json::to_vec(body).map_err(|e| {
            Error::invalid(format!("{}: the request cannot be written", call.what)).with_source(e)
        })?;
        let response = self.exchange(call, Method::POST, url, None, Some(body)).await?;
        let body = self.accepted(call, response, MAX_BYTES).await?;
        decode(call.what, &body)
    }

    /// A path below the API's base.
    pub(crate) async fn url(&self, call: &Call<'_>, path: &str, last: &[&str]) -> Result<Url> {
        Ok(below(self.base(call).await?, path, last))
    }

    /// Where the API is below the configured URL. Remembered once the control plane has answered; not when it
    /// was away, and not when it named another origin, which is refused.
    pub(crate) async fn base(&self, call: &Call<'_>) -> Result<&Url> {
        self.discovered.get_or_try_init(|| self.discover(call)).await
    }

    async fn discover(&self, call: &Call<'_>) -> Result<Url> {
        let what = format!("{}, asking where the API is", call.what);
        let call = Call { what: &what, ..*call };
        let mut page = false;
        for path in ["harmony/base-url", "api/harmony/base-url"] {
            let url = below(&self.configured, path, &[]);
            let response = self.exchange(&call, Method::GET, url, None, None).await?;
            // The front of a website may answer every path with a page; the second place is asked all the same.
            if response.status().is_success() && !is_json(response.headers()) {
                page = true;
                continue;
            }
            match self.accepted(&call, response, MAX_BYTES).await {
                Ok(body) => return self.named(&what, &decode(&what, &body)?),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        match page {
            true => {
                Err(Error::unavailable(format!("{what}: the control plane answered with a page and no JSON")))
            }
            false => Ok(self.configured.clone()),
        }
    }

    fn named(&self, what: &str, answer: &BaseUrl) -> Result<Url> {
        let mut named = [&answer.full_url, &answer.base_url].into_iter().flatten();
        let named = named
            .find(|url| !url.trim().is_empty())
            .ok_or_else(|| Error::unavailable(format!("{what}: the answer has no `base_url`")))?;
        let mut url = own(what, &self.configured, &self.configured, named)?;
        url.set_query(None);
        url.set_fragment(None);
        Ok(url)
    }

    async fn exchange(
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
        request.send().await.map_err(|e| unreachable(call.what, e))
    }

    /// Notes what an answer says of the credential. Only what the gateway asks in its own name shows that it is
    /// good again: it may be good for a resource and not for the list of changes.
    fn heard(&self, call: &Call<'_>, status: StatusCode) {
        let own = call.asking == Asking::AsGateway;
        if status == StatusCode::UNAUTHORIZED || (own && status == StatusCode::FORBIDDEN) {
            call.bearer.heard(true);
        } else if own && (status.is_success() || status == StatusCode::NOT_MODIFIED) {
            call.bearer.heard(false);
        }
    }

    /// The body of a good answer that is JSON.
    async fn accepted(&self, call: &Call<'_>, response: Response, limit: usize) -> Result<Bytes> {
        let (status, headers) = (response.status(), response.headers().clone());
        self.heard(call, status);
        let body = read(call.what, response, limit).await;
        if !status.is_success() {
            let refusal = Refusal { status, headers: &headers, body: &body.unwrap_or_default() };
            return Err(status::error(call.what, call.asking, &refusal, call.bearer.token(), self.now()));
        }
        if !is_json(&headers) {
            return Err(Error::unavailable(format!(
                "{}: the control plane answered {status} and no JSON",
                call.what
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

async fn read(what: &str, mut response: Response, limit: usize) -> Result<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| unreachable(what, e))? {
        if body.len() + chunk.len() > limit {
            return Err(Error::unavailable(format!("{what}: the answer has more than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

pub(crate) fn decode<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|e| {
        // The error may quote what was sent, which may be a token; where it is wrong is enough.
        let (line, column) = (e.line(), e.column());
        Error::unavailable(format!("{what}: the answer cannot be understood, at {line}:{column}"))
    })
}

fn unreachable(what: &str, error: reqwest::Error) -> Error {
    let why = if error.is_timeout() {
        "the control plane did not answer in time"
    } else if error.is_connect() {
        "the control plane cannot be reached"
    } else {
        "the exchange with the control plane broke off"
    };
    Error::unavailable(format!("{what}: {why}")).with_source(error.without_url())
}
