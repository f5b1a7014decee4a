//! The server behind the proxies.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// The size of its small responses.
pub(crate) const BODY_BYTES: usize = 1024;

/// The path that requires a bearer token.
pub(crate) const WITH_TOKEN: &str = "/with-token";

/// The path that returns the received Authorization header, or an empty body.
pub(crate) const REFLECT: &str = "/reflect";

/// A body that the server has, with the path that responds with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Small,
    Medium,
    Large,
}

impl Body {
    /// The path.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Small => "/",
            Self::Medium => "/64k",
            Self::Large => "/1m",
        }
    }

    /// The size in bytes.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Small => BODY_BYTES,
            Self::Medium => 64 * 1024,
            Self::Large => LARGEST,
        }
    }

    /// The content.
    pub(crate) fn content(self) -> &'static [u8] {
        &CONTENT[..self.bytes()]
    }
}

/// The size of the largest body.
const LARGEST: usize = 1024 * 1024;

static CONTENT: [u8; LARGEST] = [b'x'; LARGEST];

/// Responds to every request with the body of its path, the small one on unknown paths.
pub(crate) async fn serve(listen: SocketAddr) -> ! {
    let listener = TcpListener::bind(listen).await.expect("the address is free");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| async move { Ok::<_, Infallible>(respond(&request)) });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

fn respond(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let token = request.headers().get(AUTHORIZATION);
    let path = request.uri().path();
    let body = [Body::Medium, Body::Large].into_iter().find(|body| body.path() == path);
    let content = body.unwrap_or(Body::Small).content();
    let mut response = Response::new(Full::new(Bytes::from_static(content)));
    match path {
        WITH_TOKEN if !token.is_some_and(|value| value.as_bytes().starts_with(b"Bearer ")) => {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }
        REFLECT => {
            let text = token.map(|value| Bytes::copy_from_slice(value.as_bytes()));
            *response.body_mut() = Full::new(text.unwrap_or_default());
        }
        _ => {}
    }
    response
}
