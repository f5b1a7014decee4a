//! A request as a backend gets it, written from the request of the client, which stays as it is for another attempt.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, Version};
use http_body::Body as _;

use crate::http::body::BodyError;
use crate::http::upload::Upload;
use crate::plan::BaseUrl;
use crate::proxy::chains::via;
use crate::proxy::headers::{Fate, Sender, append_own, fate, listed_options, number, prepare_request};
use crate::trace::Identity;

/// A request for a backend.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    /// The request of the client.
    pub(super) request: &'a Request<Upload>,
    /// Its id and its trace.
    pub(super) identity: &'a Identity,
    pub(super) sender: Sender<'a>,
    pub(super) base: &'a BaseUrl,
    /// The path and query.
    pub(super) target: Cow<'a, PathAndQuery>,
    /// The mesh token, if the destination is a member of a mesh.
    pub(super) authorization: Option<HeaderValue>,
    /// The protocol of an upgrade.
    pub(super) protocol: Option<&'a HeaderValue>,
}

/// The framing of the body of a request over HTTP/1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body, and no header about one.
    None,
    Length(u64),
    Chunked,
}

impl Outgoing<'_> {
    /// Writes the head of the request over HTTP/1, and returns the framing of its body.
    ///
    /// # Errors
    /// The client has announced another length than that of the body.
    pub(super) fn write_head(&self, out: &mut Vec<u8>) -> Result<Framing, BodyError> {
        let headers = self.request.headers();
        for part in [self.request.method().as_str(), " ", self.target.as_str(), " HTTP/1.1\r\nhost: "] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(self.base.host.as_bytes());
        out.extend_from_slice(b"\r\n");
        let (mut own, mut length) = (HeaderMap::new(), None);
        let listed = listed_options(headers);
        for (name, value) in headers {
            match fate(name, self.sender.trust) {
                Fate::Dropped => {}
                _ if *name == CONTENT_LENGTH => length = number(value.as_bytes()),
                _ if listed.contains(name) => {}
                Fate::Own => drop(own.append(name, value.clone())),
                Fate::Kept if *name == AUTHORIZATION && self.authorization.is_some() => {}
                // HTTP/2 may split it (RFC 9113, section 8.2.3).
                Fate::Kept if *name == COOKIE && self.request.version() == Version::HTTP_2 => {}
                Fate::Kept if self.identity.replaces(name) => {}
                Fate::Kept => write_field(out, name, value.as_bytes()),
            }
        }
        if self.request.version() == Version::HTTP_2 && !listed.contains(&COOKIE) {
            self.write_cookies(out);
        }
        if let Some(authorization) = &self.authorization {
            write_field(out, &AUTHORIZATION, authorization.as_bytes());
        }
        self.write_own(&mut own, out);
        self.identity.headers().for_each(|(name, value)| write_field(out, &name, value.as_bytes()));
        if let Some(protocol) = self.protocol {
            out.extend_from_slice(b"connection: upgrade\r\nupgrade: ");
            out.extend_from_slice(protocol.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        let framing = self.framing(length)?;
        match framing {
            Framing::None => {}
            Framing::Length(length) => {
                out.extend_from_slice(format!("content-length: {length}\r\n").as_bytes())
            }
            Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        }
        out.extend_from_slice(b"\r\n");
        Ok(framing)
    }

    /// Writes the headers of proxies. Most clients send none; those of the gateway are prepared then.
    fn write_own(&self, own: &mut HeaderMap, out: &mut Vec<u8>) {
        let (sender, version) = (&self.sender, self.request.version());
        if own.is_empty() && sender.prefix.is_empty() {
            sender.peer.write_lines(sender.authority, out);
            out.extend_from_slice(b"via: ");
            out.extend_from_slice(via(version).as_bytes());
            out.extend_from_slice(b"\r\n");
            return;
        }
        append_own(own, version, sender);
        for (name, value) in own.iter() {
            write_field(out, name, value.as_bytes());
        }
    }

    fn write_cookies(&self, out: &mut Vec<u8>) {
        let mut cookies = self.request.headers().get_all(COOKIE).iter();
        let Some(first) = cookies.next() else { return };
        out.extend_from_slice(b"cookie: ");
        out.extend_from_slice(first.as_bytes());
        for other in cookies {
            out.extend_from_slice(b"; ");
            out.extend_from_slice(other.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Returns the framing of the body; `announced` is the Content-Length of the client. No backend gets a length that the
    /// body does not have.
    fn framing(&self, announced: Option<u64>) -> Result<Framing, BodyError> {
        let body = self.request.body();
        match announced {
            None if body.is_empty() => Ok(Framing::None),
            Some(0) if body.is_empty() => Ok(Framing::Length(0)),
            Some(_) if body.is_empty() => Err("the request body is shorter than announced".into()),
            Some(length) if body.size_hint().exact() == Some(length) => Ok(Framing::Length(length)),
            _ => Ok(Framing::Chunked),
        }
    }

    /// Creates the request over HTTP/2. The authority is in its URL: servers reject a request that has it in a header too.
    pub(super) fn to_request(&self) -> Request<Upload> {
        let mut request = Request::new(self.request.body().clone());
        *request.method_mut() = self.request.method().clone();
        *request.version_mut() = Version::HTTP_2;
        let mut headers = self.request.headers().clone();
        headers.remove(HOST);
        prepare_request(&mut headers, self.request.version(), &self.sender);
        self.identity.put(&mut headers);
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        *request.headers_mut() = headers;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.base.scheme.clone());
        parts.authority = Some(self.base.authority.clone());
        parts.path_and_query = Some(PathAndQuery::clone(&self.target));
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        request
    }
}

/// Writes a line of a head or of trailers.
pub(super) fn write_field(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
