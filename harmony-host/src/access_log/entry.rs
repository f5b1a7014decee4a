//! The entry of one request.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Method, Request, Uri, Version};

use crate::trace::Identity;

/// The longest path in an entry, in bytes. The rest is cut off.
const MAX_PATH: usize = 8 * 1024;

/// The memory of an entry beside its path.
const OVERHEAD: usize = 1024;

/// The line of the access log about one request. The query is left out: it may hold a secret.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) at: SystemTime,
    pub(super) identity: Identity,
    pub(super) peer: SocketAddr,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) version: Version,
    /// The client by what trusted proxies say; the peer without such a proxy.
    pub(crate) client: Option<IpAddr>,
    pub(crate) network: Option<Arc<str>>,
    pub(crate) pipeline: Option<Arc<str>>,
    pub(crate) endpoint: Option<Arc<str>>,
    pub(crate) generation: u64,
    /// The origin of the backend that was asked last.
    pub(crate) origin: Option<String>,
    /// 0 if the client left before the response.
    pub(crate) status: u16,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) duration: Duration,
    pub(crate) backend_time: Option<Duration>,
    pub(crate) attempts: u32,
    pub(crate) reason: Option<&'static str>,
    /// Set when the whole response was given to the connection.
    pub(crate) is_complete: bool,
}

impl Entry {
    /// Begins the entry of a request.
    pub(crate) fn new<B>(peer: SocketAddr, request: &Request<B>, identity: &Identity) -> Self {
        Self {
            at: SystemTime::now(),
            identity: identity.clone(),
            peer,
            method: request.method().clone(),
            path: shortened(request.uri()),
            version: request.version(),
            client: None,
            network: None,
            pipeline: None,
            endpoint: None,
            generation: 0,
            origin: None,
            status: 0,
            bytes_in: 0,
            bytes_out: 0,
            duration: Duration::ZERO,
            backend_time: None,
            attempts: 0,
            reason: None,
            is_complete: false,
        }
    }

    /// Returns whether something went wrong with the request: such an entry is always written.
    pub(super) fn is_error(&self) -> bool {
        self.status == 0 || self.status >= 400 || self.reason.is_some() || !self.is_complete
    }

    /// Returns the memory that the entry takes, in bytes.
    pub(super) fn size(&self) -> usize {
        OVERHEAD + self.path.len()
    }
}

fn shortened(uri: &Uri) -> String {
    let path = uri.path();
    let end = (0..=MAX_PATH.min(path.len())).rev().find(|end| path.is_char_boundary(*end));
    path.get(..end.unwrap_or_default()).unwrap_or_default().to_owned()
}
