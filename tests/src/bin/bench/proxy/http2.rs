//! An HTTP/2 client in clear text with prior knowledge.

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::target::Target;
use crate::Outcome;
use crate::upstream::BODY_BYTES;

/// A client of a connection for sequential requests. Clones share the connection.
#[derive(Clone, Debug)]
pub(super) struct Http2 {
    sender: SendRequest<Empty<Bytes>>,
    url: Uri,
}

impl Http2 {
    /// Opens a connection for requests of the small body. The connection ends when the last clone is dropped.
    ///
    /// # Errors
    /// Returns a message with the cause.
    pub(super) async fn open(stream: TcpStream, target: &Target<'_>) -> Outcome<Self> {
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(|error| format!("no HTTP/2: {error}"))?;
        tokio::spawn(connection);
        let url = format!("http://{}/", target.address).parse().expect("a URL");
        Ok(Self { sender, url })
    }

    /// Sends the request and reads the whole response.
    ///
    /// # Errors
    /// Fails if the response is not 200 with a body of the expected length.
    pub(super) async fn exchange(&mut self) -> Outcome<()> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.url.clone();
        self.sender.ready().await.map_err(|error| format!("the connection broke: {error}"))?;
        let answer =
            self.sender.send_request(request).await.map_err(|error| format!("no response: {error}"))?;
        let (parts, mut body) = answer.into_parts();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| format!("the response was cut off: {error}"))?;
            length += frame.data_ref().map_or(0, Bytes::len);
        }
        match parts.status.as_u16() == 200 && length == BODY_BYTES {
            true => Ok(()),
            false => Err(format!("{} with {length} bytes, expected 200 with {BODY_BYTES}", parts.status)),
        }
    }
}
