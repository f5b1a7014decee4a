//! The layers below HTTP of a connection to a backend.

use hyper_util::rt::TokioIo;
use tokio_rustls::client::TlsStream;

use crate::proxy::answer_head::Watched;
use crate::proxy::connector::BackendStream;
use crate::proxy::pool::first_settings::FirstSettings;

/// A connection of HTTP/1 without TLS.
pub(super) type Plain = TokioIo<Watched<BackendStream>>;

/// A connection of HTTP/1 with TLS.
pub(super) type Secure = TokioIo<Watched<TlsStream<BackendStream>>>;

/// A connection of HTTP/2.
pub(super) type Shared = TokioIo<FirstSettings<TlsStream<BackendStream>>>;
