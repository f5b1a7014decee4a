//! Trailers of bodies: the fields that may stand there.

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use http_body::Frame;

use crate::http::claims::is_claim_or_disguise;

/// Fields that must not stand in trailers, since a recipient may merge trailers into the headers: they frame, route,
/// authenticate or control a message, or describe its content (RFC 9110, section 6.5.1).
const FORBIDDEN: [&str; 42] = [
    "age",
    "alt-svc",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-security-policy",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "warning",
    "www-authenticate",
];

/// Removes the fields that must not stand in trailers from a frame of a body.
pub(crate) fn checked(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => Frame::trailers(harmless(trailers)),
        Err(frame) => frame,
    }
}

fn harmless(mut trailers: HeaderMap) -> HeaderMap {
    let is_forbidden = |name: &str| FORBIDDEN.binary_search(&name).is_ok() || is_claim_or_disguise(name);
    let found: Vec<HeaderName> =
        trailers.keys().filter(|name| is_forbidden(name.as_str())).cloned().collect();
    for name in found {
        trailers.remove(name);
    }
    trailers
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_harmless_trailers_stay() {
        assert!(FORBIDDEN.is_sorted());
        let fields =
            ["grpc-status", "x-real-ip", "x_real_ip", "host", "via", "content_length", "digest", "warning"];
        let all = fields.map(|name| (HeaderName::from_static(name), HeaderValue::from_static("1")));
        let kept = harmless(all.into_iter().collect());
        assert_eq!(kept.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["grpc-status", "digest"]);
    }
}
