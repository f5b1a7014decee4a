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

/// The size of its responses.
pub(crate) const BODY_BYTES: usize = 1024;

/// The path that requires a bearer token.
pub(crate) const WITH_TOKEN: &str = "/with-token";

/// The path that returns the received Authorization header, or an empty body.
pub(crate) const REFLECT: &str = "/reflect";

static BODY: [u8; BODY_BYTES] = [b'x'; BODY_BYTES];

/// Responds to every request with the same body.
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
    let mut response = Response::new(Full::new(Bytes::from_static(&BODY)));
    match request.uri().path() {
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
