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

/// A GET, made once and sent often.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    path: Uri,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
}

impl Ask {
    /// `path` of the server at `address`.
    pub(crate) fn new(address: SocketAddr, path: &str) -> Self {
        let path = path.parse().expect("a path");
        let host = HeaderValue::try_from(address.to_string()).expect("an address is a Host");
        Self { path, host, authorization: None }
    }

    /// With a bearer token.
    pub(crate) fn bearing(mut self, token: &str) -> Self {
        self.authorization =
            Some(HeaderValue::try_from(format!("Bearer {token}")).expect("a token is a header"));
        self
    }
}

/// A connection that is kept for one request after the other.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// What went wrong.
    pub(crate) async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await.map_err(|e| format!("no connection: {e}"))?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| format!("no connection: {e}"))?;
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// The answer, its body still to come.
    async fn ask(&mut self, ask: &Ask) -> Outcome<Response<Incoming>> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = ask.path.clone();
        request.headers_mut().insert(HOST, ask.host.clone());
        if let Some(authorization) = &ask.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        self.sender.ready().await.map_err(|e| format!("the connection broke: {e}"))?;
        self.sender.send_request(request).await.map_err(|e| format!("no answer: {e}"))
    }

    /// The whole answer.
    ///
    /// # Errors
    /// What went wrong on the way; an answer of any status is one.
    pub(crate) async fn get(&mut self, ask: &Ask) -> Outcome<Response<Bytes>> {
        let (parts, body) = self.ask(ask).await?.into_parts();
        let body = body.collect().await.map_err(|e| format!("the answer broke off: {e}"))?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }

    /// Asks and throws away the body, with as little work as there can be.
    ///
    /// # Errors
    /// When the answer is not a 200 of `bytes` bytes.
    pub(crate) async fn expect(&mut self, ask: &Ask, bytes: usize) -> Outcome<()> {
        let (parts, mut body) = self.ask(ask).await?.into_parts();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| format!("the answer broke off: {e}"))?;
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
