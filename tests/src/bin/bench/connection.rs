//! A client connection with as little overhead as possible.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::Outcome;

/// A GET request, built once and sent many times.
#[derive(Clone, Debug)]
pub(crate) struct GetRequest {
    path: Uri,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
}

impl GetRequest {
    /// A request for `path` to the server at `address`.
    pub(crate) fn new(address: SocketAddr, path: &str) -> Self {
        let path = path.parse().expect("a path");
        let host = HeaderValue::try_from(address.to_string()).expect("an address is a Host");
        Self { path, host, authorization: None }
    }

    /// Adds a bearer token.
    pub(crate) fn bearing(mut self, token: &str) -> Self {
        self.authorization =
            Some(HeaderValue::try_from(format!("Bearer {token}")).expect("a token is a header"));
        self
    }

    /// Returns the request as sent over HTTP/1.1.
    pub(crate) fn to_bytes(&self) -> Bytes {
        let mut text = format!("GET {} HTTP/1.1\r\n", self.path).into_bytes();
        let authorization = self.authorization.as_ref().map(|value| ("authorization", value));
        for (name, value) in std::iter::once(("host", &self.host)).chain(authorization) {
            text.extend_from_slice(name.as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"\r\n");
        text.into()
    }
}

/// A keep-alive connection for sequential requests.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Opens a connection.
    ///
    /// # Errors
    /// Returns a message with the cause.
    pub(crate) async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await.map_err(|e| format!("cannot connect: {e}"))?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| format!("cannot connect: {e}"))?;
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// Sends the request and returns the response's head, with its body still to be read.
    async fn send(&mut self, get: &GetRequest) -> Outcome<Response<Incoming>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = get.path.clone();
        request.headers_mut().insert(HOST, get.host.clone());
        if let Some(authorization) = &get.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        self.sender.ready().await.map_err(|e| format!("the connection broke: {e}"))?;
        self.sender.send_request(request).await.map_err(|e| format!("no response: {e}"))
    }

    /// Sends the request and reads the whole response.
    ///
    /// # Errors
    /// Returns a message if the connection fails. A response with an error status is not an error.
    pub(crate) async fn get(&mut self, request: &GetRequest) -> Outcome<Response<Bytes>> {
        let (parts, body) = self.send(request).await?.into_parts();
        let body = body.collect().await.map_err(|e| format!("the response was cut off: {e}"))?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }

    /// Sends the request and discards the body, with as little work as possible.
    ///
    /// # Errors
    /// Fails if the response is not 200 with a body of `bytes` bytes.
    pub(crate) async fn expect(&mut self, request: &GetRequest, bytes: usize) -> Outcome<()> {
        let (parts, mut body) = self.send(request).await?.into_parts();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| format!("the response was cut off: {e}"))?;
            length += frame.data_ref().map_or(0, Bytes::len);
        }
        match parts.status.as_u16() == 200 && length == bytes {
            true => Ok(()),
            false => Err(format!("{} with {length} bytes, expected 200 with {bytes}", parts.status)),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
