use std::io::Error;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TRANSFER_ENCODING};
use http::request::Parts;
use reqwest::{Client, Response};

/// What belongs to one connection and is not passed on to the other (RFC 9110, section 7.6.1).
pub(super) const OF_THE_CONNECTION: [HeaderName; 2] = [CONNECTION, TRANSFER_ENCODING];

/// A whole request, which can be delivered any number of times.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) parts: Parts,
    pub(super) body: Bytes,
}

impl Parcel {
    /// Delivers it. An error is that of a network.
    pub(super) async fn deliver(&self, client: &Client, upstream: SocketAddr) -> Result<Response, Error> {
        let path = self.parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = self.parts.headers.clone();
        for name in OF_THE_CONNECTION.iter().chain(&[HOST, CONTENT_LENGTH]) {
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
