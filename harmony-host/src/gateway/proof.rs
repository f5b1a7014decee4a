//! The proof that a program is the gateway at an address: it knows management.token, and is not sent it.
//!
//! Any program of this machine can listen on the port of a gateway that is down, and imitate every public response. So the
//! command line sends a random challenge first, and the token only to a program that answers with the HMAC of the
//! challenge. The HMAC covers the URL that the gateway serves: a program at another address cannot pass on the answer
//! of the gateway, and no other program can share the port of the gateway.

use std::net::IpAddr;

use aws_lc_rs::hmac;
use http::{HeaderMap, HeaderName, HeaderValue};
use provider_api::Secret;
use url::{Host, Url};

use crate::gateway::address_file::api_url;
use crate::snapshot::Snapshot;

/// The header of a request with the challenge: 64 hexadecimal digits.
pub(crate) const CHALLENGE: &str = "Management-Challenge";

/// The header of a response with the proof: 64 hexadecimal digits.
pub(super) const NAME: HeaderName = HeaderName::from_static("management-proof");

/// The length of a challenge in hexadecimal digits.
const DIGITS: usize = 64;

/// A random text that a gateway has to prove itself with.
#[derive(Debug)]
pub(crate) struct Challenge(String);

impl Challenge {
    /// Creates a challenge.
    ///
    /// # Errors
    /// The operating system has no random numbers.
    pub(crate) fn new() -> Result<Self, String> {
        let mut bytes = [0; DIGITS / 2];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "the system has no random numbers".to_owned())?;
        Ok(Self(hexadecimal(&bytes)))
    }

    /// Returns the text of the header [`CHALLENGE`].
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether `headers` prove that the sender knows `token` and serves the management API at `url`.
    pub(crate) fn is_met(&self, headers: &HeaderMap, token: &Secret, url: &Url) -> bool {
        let given = headers.get(NAME).and_then(|proof| proof.to_str().ok());
        given.is_some_and(|given| Secret::new(proof(token, url, &self.0)).matches(given))
    }
}

/// Returns the proof for the challenge in `headers`. `None` without one, without a token, and for a client on another
/// machine, which could use proofs to guess a weak token.
pub(super) fn answer(snapshot: &Snapshot, peer: IpAddr, headers: &HeaderMap) -> Option<HeaderValue> {
    let challenge = headers.get(CHALLENGE)?.to_str().ok()?;
    let management = snapshot.config.management.as_ref()?;
    let token = management.token.as_ref()?;
    let url = api_url(&snapshot.config.networks, management)?;
    let peer = peer.to_canonical();
    let is_ours = match url.host()? {
        Host::Ipv4(ip) => peer == IpAddr::from(ip),
        Host::Ipv6(ip) => peer == IpAddr::from(ip).to_canonical(),
        Host::Domain(_) => false,
    };
    let is_challenge = challenge.len() == DIGITS && challenge.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_challenge || !(peer.is_loopback() || is_ours) {
        return None;
    }
    HeaderValue::from_str(&proof(token, &url, challenge)).ok()
}

/// Computes the proof. The first line keeps it apart from every other use of the token.
fn proof(token: &Secret, url: &Url, challenge: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.expose().as_bytes());
    let text = format!("harmony-host management API 1\n{url}\n{challenge}");
    hexadecimal(hmac::sign(&key, text.as_bytes()).as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A proof is for one token, one URL and one challenge.
    #[test]
    fn a_proof_is_for_its_address_alone() {
        let (token, url) =
            (Secret::new("a".repeat(32)), "http://127.0.0.1:9090/admin".parse::<Url>().unwrap());
        let (challenge, other) = (Challenge::new().unwrap(), Challenge::new().unwrap());
        let mut headers = HeaderMap::new();
        assert!(!challenge.is_met(&headers, &token, &url), "no header");
        headers.insert(NAME, proof(&token, &url, challenge.as_str()).parse().unwrap());
        assert!(challenge.is_met(&headers, &token, &url));
        assert!(!other.is_met(&headers, &token, &url), "a repeated proof");
        assert!(!challenge.is_met(&headers, &Secret::new("b".repeat(32)), &url), "another token");
        for elsewhere in
            ["http://127.0.0.1:9091/admin", "http://127.0.0.2:9090/admin", "http://127.0.0.1:9090/x"]
        {
            assert!(!challenge.is_met(&headers, &token, &elsewhere.parse().unwrap()), "{elsewhere}");
        }
        headers.insert(NAME, HeaderValue::from_static(""));
        assert!(!challenge.is_met(&headers, &token, &url), "an empty header");
    }
}
