//! Headers by which a client could speak for a proxy or for the gateway, in every spelling that a server takes for them.

use std::borrow::Cow;

/// The header of a probe: the secret in the request, and the result in the response.
pub(crate) const PROBE_HEADER: &str = "x-harmony-probe";

/// The headers in which a proxy tells about the client, the host, the scheme or the path of a request. All names that begin
/// with `x-forwarded` belong to them. Servers believe them, so the gateway forwards none that it did not set or check.
const CLAIMS: [&str; 30] = [
    "forwarded",
    "via",
    "forwarded-for",
    "forwarded-host",
    "forwarded-proto",
    "x-real-ip",
    "x-real-port",
    "x-client-ip",
    "client-ip",
    "true-client-ip",
    "x-true-client-ip",
    "x-cluster-client-ip",
    "x-originating-ip",
    "x-remote-ip",
    "x-remote-addr",
    "cf-connecting-ip",
    "fastly-client-ip",
    "x-original-forwarded-for",
    "x-proxyuser-ip",
    "x-envoy-external-address",
    "front-end-https",
    "x-scheme",
    "x-url-scheme",
    "x-original-host",
    // A server that takes the path from these would serve another one than the gateway has admitted.
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
    // CGI programs read it as the variable HTTP_PROXY, the proxy for their own requests.
    "proxy",
    "x-script-name",
    // It holds the probe secret of a gateway; a backend must not see it.
    PROBE_HEADER,
];

/// Headers that no proxy in front of the gateway may set either: they replace what the gateway has admitted.
const NEVER: [&str; 5] = ["proxy", PROBE_HEADER, "x-original-url", "x-original-uri", "x-rewrite-url"];

/// Headers that decide about framing, routing or authentication, and the id that the gateway gives to a request. In another spelling they are forwarded to nobody.
const DECISIVE: [&str; 15] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "proxy-authorization",
    "proxy-connection",
    "script-name",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// The bytes with which the names of claims begin. Most headers of a request begin with others.
const INITIALS: [bool; 256] = {
    let (mut initials, mut at) = ([false; 256], 0);
    while at < CLAIMS.len() {
        initials[CLAIMS[at].as_bytes()[0] as usize] = true;
        at += 1;
    }
    initials
};

/// Returns whether a server could take the header for one in which a proxy speaks.
pub(crate) fn is_claim(name: &str) -> bool {
    is_listed(&canonical(name))
}

/// Returns whether a canonical name is that of a claim.
fn is_listed(name: &str) -> bool {
    let is_possible = name.bytes().next().is_some_and(|initial| INITIALS[usize::from(initial)]);
    is_possible && (name.starts_with("x-forwarded") || CLAIMS.contains(&name))
}

/// Returns whether the header is a claim or a disguise.
pub(crate) fn is_claim_or_disguise(name: &str) -> bool {
    match canonical(name) {
        Cow::Borrowed(name) => is_listed(name),
        Cow::Owned(name) => is_listed(&name) || DECISIVE.contains(&&*name),
    }
}

/// Returns whether a trusted proxy may set the header.
pub(crate) fn is_claim_of_proxy(name: &str) -> bool {
    is_claim(name) && !is_disguised(name) && !NEVER.contains(&name)
}

/// Returns whether the name is another spelling of a header that servers decide by, such as `content_length`.
pub(crate) fn is_disguised(name: &str) -> bool {
    match canonical(name) {
        Cow::Borrowed(_) => false,
        Cow::Owned(name) => DECISIVE.contains(&&*name) || is_listed(&name),
    }
}

/// Returns the name as servers look it up that put headers into variables, as CGI, WSGI and Rack do: `X_Real_IP`,
/// `X-Real-IP` and with some `X.Real.IP` become the same variable (RFC 3875, section 4.1.18). `name` is in lower case.
fn canonical(name: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match name.bytes().all(|byte| is_plain(char::from(byte))) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(name.chars().map(|c| if is_plain(c) { c } else { '-' }).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_found_in_every_spelling() {
        for name in
            ["x-real-ip", "x_real_ip", "x.real.ip", "x-forwarded-anything", "x_forwarded-for", "proxy"]
        {
            assert!(is_claim(name), "{name}");
        }
        for name in ["x-request-id", "accept", "proxy-support", "realm", "x-real", "forward"] {
            assert!(!is_claim(name) && !is_disguised(name), "{name}");
        }
        for name in CLAIMS.into_iter().chain(DECISIVE) {
            let is_claim = CLAIMS.contains(&name);
            assert_eq!((is_claim_or_disguise(name), super::is_claim(name)), (is_claim, is_claim), "{name}");
            let disguised = name.replace('-', "_");
            assert_eq!(is_claim_or_disguise(&disguised), is_claim || disguised != name, "{disguised}");
        }
        assert!(is_disguised("content_length") && is_disguised("x~real-ip"));
        assert!(is_disguised("x_request_id"), "the id is made by the gateway");
        assert!(!is_disguised("content-length") && !is_disguised("x_other_id"));
    }
}
