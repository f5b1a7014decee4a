//! The server that a request is sent to, and its identity among others.

use std::sync::Arc;

use http::uri::{Authority, Scheme};

use crate::plan::{Authorities, BaseUrl};
use crate::storage::digest::Digest;

/// The server that a request is sent to.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct Server<'a> {
    pub(in crate::proxy) base: &'a BaseUrl,
    /// The certificate authorities that are trusted for it, besides those of the system.
    pub(in crate::proxy) authorities: Option<&'a Arc<Authorities>>,
    /// Set for a request to switch to another protocol, which is possible only over HTTP/1.1.
    pub(in crate::proxy) is_upgrade: bool,
}

/// The identity of a server. No backend uses the connections of another one's trust.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) is_secure: bool,
    pub(super) authority: Authority,
    trust: Option<Digest>,
    /// Set for connections that must not speak HTTP/2.
    pub(super) is_upgrade: bool,
}

impl Key {
    /// Returns whether it is the key of a server.
    pub(super) fn is_of(&self, server: &Server<'_>) -> bool {
        let is_secure = server.base.scheme == Scheme::HTTPS;
        let trust = server.authorities.filter(|_| is_secure).map(|authorities| authorities.digest);
        (self.is_secure, self.trust, self.is_upgrade) == (is_secure, trust, server.is_upgrade)
            // Exact text first: the comparison of authorities takes each letter in both cases.
            && (self.authority.as_str() == server.base.authority.as_str()
                || self.authority == server.base.authority)
    }

    pub(super) fn of(server: &Server<'_>) -> Self {
        let is_secure = server.base.scheme == Scheme::HTTPS;
        Self {
            is_secure,
            authority: server.base.authority.clone(),
            trust: server.authorities.filter(|_| is_secure).map(|authorities| authorities.digest),
            is_upgrade: server.is_upgrade,
        }
    }
}
