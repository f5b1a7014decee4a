//! A client of any front.

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::http1::Http1;
use super::http2::Http2;
use super::target::{Front, Target};
use crate::Outcome;
use crate::upstream::Body;

/// A client for sequential requests.
#[derive(Debug)]
pub(super) enum Client {
    Plain(Http1<TcpStream>),
    Tls(Box<Http1<TlsStream<TcpStream>>>),
    Http2(Http2),
}

impl Client {
    /// Opens a connection with `streams` clients. HTTP/1 has one, no matter the number.
    ///
    /// # Errors
    /// Returns a message with the cause.
    pub(super) async fn open(target: &Target<'_>, streams: usize, body: Body) -> Outcome<Vec<Self>> {
        let failed = |error| format!("cannot connect: {error}");
        let stream = TcpStream::connect(target.address).await.map_err(failed)?;
        let _ = stream.set_nodelay(true);
        let request = target.request.to_bytes();
        Ok(match &target.front {
            Front::Plain => vec![Self::Plain(Http1::new(stream, request, body.bytes()))],
            Front::Tls(address, connector) => {
                let name = ServerName::from(address.ip());
                let stream = connector.connect(name, stream).await.map_err(failed)?;
                vec![Self::Tls(Box::new(Http1::new(stream, request, body.bytes())))]
            }
            Front::Http2(_) => {
                let client = Http2::open(stream, target).await?;
                (0..streams).map(|_| Self::Http2(client.clone())).collect()
            }
        })
    }

    /// Opens `connections` connections one after the other, so that no queue of a listener overflows.
    ///
    /// # Errors
    /// Returns a message with the cause.
    pub(super) async fn open_all(
        target: &Target<'_>,
        connections: usize,
        streams: usize,
        body: Body,
    ) -> Outcome<Vec<Self>> {
        let mut clients = Vec::new();
        for _ in 0..connections {
            clients.extend(Self::open(target, streams, body).await?);
        }
        Ok(clients)
    }

    /// Sends the request and reads the whole response.
    ///
    /// # Errors
    /// Fails if the response is not 200 with a body of the expected length.
    pub(super) async fn exchange(&mut self) -> Outcome<()> {
        match self {
            Self::Plain(client) => client.exchange().await,
            Self::Tls(client) => client.exchange().await,
            Self::Http2(client) => client.exchange().await,
        }
    }
}
