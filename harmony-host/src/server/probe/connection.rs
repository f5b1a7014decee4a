//! The connection of a probe to a listener.

use std::io;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use provider_api::Secret;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::http::claims::PROBE_HEADER;
use crate::server::probe::request::ProbeRequest;

/// An HTTP/1.1 connection to a listener. Dropping it closes it.
pub(super) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Starts HTTP/1.1 on `stream`.
    ///
    /// # Errors
    /// The error of the connection.
    pub(super) async fn open(stream: TcpStream) -> io::Result<Self> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let driver = tokio::spawn(async move {
            // The request that this error fails reports it.
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// Sends a probe request and returns the result in the response.
    ///
    /// # Errors
    /// The error of the connection, `InvalidInput` for a probe that is no valid HTTP request, or `InvalidData` for a
    /// response that is not from this gateway.
    pub(super) async fn send(&mut self, probe: &ProbeRequest, secret: &Secret) -> io::Result<String> {
        let request = http_request(probe, secret)?;
        self.sender.ready().await.map_err(io::Error::other)?;
        let response = self.sender.send_request(request).await.map_err(io::Error::other)?;
        let result = response.headers().get(PROBE_HEADER).and_then(|value| value.to_str().ok());
        let not_ours = || io::Error::new(io::ErrorKind::InvalidData, "another server sent the response");
        result.map(str::to_owned).ok_or_else(not_ours)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Converts a probe to an HTTP request. Hosts and paths come from the configuration, so they are parsed here:
/// otherwise a path with a line break could smuggle in a header or a second request.
///
/// # Errors
/// `InvalidInput` for a host or path that HTTP does not allow.
fn http_request(probe: &ProbeRequest, secret: &Secret) -> io::Result<Request<Empty<Bytes>>> {
    let invalid = |error: http::Error, what: &str| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{what:?} is not valid in a request: {error}"))
    };
    let authority = probe.authority();
    let host: http::uri::Authority =
        authority.parse().map_err(|e: http::uri::InvalidUri| invalid(e.into(), &authority))?;
    let target: Uri =
        probe.path.parse().map_err(|e: http::uri::InvalidUri| invalid(e.into(), &probe.path))?;
    let secret = HeaderValue::from_str(secret.expose()).map_err(|e| invalid(e.into(), "the secret"))?;
    // OPTIONS is safe and does not touch the resource (RFC 9110, section 9.3.7).
    Request::builder()
        .method(Method::OPTIONS)
        .uri(target)
        .header(HOST, host.as_str())
        .header(PROBE_HEADER, secret)
        .body(Empty::new())
        .map_err(|e| invalid(e, &probe.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request_for(path: &str) -> io::Result<Request<Empty<Bytes>>> {
        let mut probe = ProbeRequest::generation();
        probe.path = path.to_owned();
        http_request(&probe, &Secret::new("secret"))
    }

    #[test]
    fn probe_is_exactly_one_request() {
        for path in ["*", "/", "/a/b%20c", "/\u{e9}"] {
            let request = request_for(path).unwrap();
            assert_eq!(request.uri().path(), path);
            assert_eq!(request.headers()[HOST], "probe.invalid:80");
        }
        for path in ["/a b", "/a\r\nX: y", "/ HTTP/1.1\r\n\r\nGET /b", "/\u{7f}", ""] {
            assert_eq!(request_for(path).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{path:?}");
        }
    }
}
