//! A request with its whole body, which can be sent any number of times.

use std::io::Error;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TRANSFER_ENCODING};
use http::request::Parts;
use reqwest::{Client, Response};

/// The hop-by-hop headers, which a proxy must not forward (RFC 9110, section 7.6.1).
pub(super) const HOP_BY_HOP: [HeaderName; 2] = [CONNECTION, TRANSFER_ENCODING];

/// A request with its whole body.
#[derive(Debug)]
pub(super) struct BufferedRequest {
    pub(super) parts: Parts,
    pub(super) body: Bytes,
}

impl BufferedRequest {
    /// Sends the request to `upstream`. Every error of the client is an I/O error.
    pub(super) async fn send(&self, client: &Client, upstream: SocketAddr) -> Result<Response, Error> {
        let path = self.parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = self.parts.headers.clone();
        for name in HOP_BY_HOP.iter().chain(&[HOST, CONTENT_LENGTH]) {
            headers.remove(name);
        }
        client
            .request(self.parts.method.clone(), format!("http://{upstream}{path}"))
            .headers(headers)
            .body(self.body.clone())
            .send()
            .await
            .map_err(Error::other)
    }
}
