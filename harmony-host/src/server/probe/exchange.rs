//! A connection on which a listener is asked.

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

use crate::proxy::headers::PROBE_HEADER;
use crate::server::probe::question::Question;

/// A connection to a listener; closed when it is dropped.
pub(super) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Opens HTTP/1.1 on `stream`.
    ///
    /// # Errors
    /// The error of the connection.
    pub(super) async fn open(stream: TcpStream) -> io::Result<Self> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let driver = tokio::spawn(async move {
            // An error shows in the request that it fails.
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// Asks one question and returns what the answer says.
    ///
    /// # Errors
    /// The error of the connection; `InvalidInput` when HTTP cannot ask the question, `InvalidData` when what answers is
    /// not this gateway.
    pub(super) async fn ask(&mut self, question: &Question, secret: &Secret) -> io::Result<String> {
        let request = request(question, secret)?;
        self.sender.ready().await.map_err(io::Error::other)?;
        let response = self.sender.send_request(request).await.map_err(io::Error::other)?;
        let answer = response.headers().get(PROBE_HEADER).and_then(|answer| answer.to_str().ok());
        let strange = || io::Error::new(io::ErrorKind::InvalidData, "what answers is not this gateway");
        answer.map(str::to_owned).ok_or_else(strange)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The request of a question. Paths were configured, so they are parsed: the request asks one thing and nothing else.
fn request(question: &Question, secret: &Secret) -> io::Result<Request<Empty<Bytes>>> {
    let wrong = |error: http::Error, what: &str| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{what:?} cannot be asked for: {error}"))
    };
    let authority = question.authority();
    let host: http::uri::Authority =
        authority.parse().map_err(|e: http::uri::InvalidUri| wrong(e.into(), &authority))?;
    let target: Uri =
        question.path.parse().map_err(|e: http::uri::InvalidUri| wrong(e.into(), &question.path))?;
    let secret = HeaderValue::from_str(secret.expose()).map_err(|e| wrong(e.into(), "the secret"))?;
    // OPTIONS asks about the communication and not about the resource (RFC 9110, section 9.3.7).
    Request::builder()
        .method(Method::OPTIONS)
        .uri(target)
        .header(HOST, host.as_str())
        .header(PROBE_HEADER, secret)
        .body(Empty::new())
        .map_err(|e| wrong(e, &question.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str) -> io::Result<Request<Empty<Bytes>>> {
        let mut question = Question::whole();
        question.path = path.to_owned();
        request(&question, &Secret::new("secret"))
    }

    #[test]
    fn question_is_one_request() {
        for path in ["*", "/", "/a/b%20c", "/\u{e9}"] {
            let request = asked(path).unwrap();
            assert_eq!(request.uri().path(), path);
            assert_eq!(request.headers()[HOST], "probe.invalid:80");
        }
        for path in ["/a b", "/a\r\nX: y", "/ HTTP/1.1\r\n\r\nGET /b", "/\u{7f}", ""] {
            assert_eq!(asked(path).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{path:?}");
        }
    }
}
