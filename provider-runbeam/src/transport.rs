//! Failed connections to a control plane, and the errors they become.

use std::error::Error as StdError;
use std::io;

use provider_api::{DisplayDuration, Error};
use url::Url;

use crate::address::Address;
use crate::deadlines::Deadlines;

/// Returns the error for a request to `url` that got no complete response: the address, the failure, the remedy. The
/// cause of the operating system or of TLS is its source.
pub(crate) fn to_error(action: &str, url: &Url, deadlines: &Deadlines, error: &reqwest::Error) -> Error {
    let root = root_cause(error);
    let failure = match failure(error, &root) {
        Failure::NoConnection => format!(
            "did not answer in time: there was no connection after {}; check the network and the firewalls between",
            DisplayDuration(deadlines.connect)
        ),
        Failure::NoAnswer => {
            "did not answer in time; it may be overloaded, or a proxy between may hold the response".to_owned()
        }
        Failure::Name => {
            "has a name that cannot be resolved; check the host in `api` and the DNS of this machine".to_owned()
        }
        Failure::Refused => {
            "refuses connections; check that it runs, and the port in `api`".to_owned()
        }
        Failure::Unreachable => "cannot be reached; check the network of this machine".to_owned(),
        Failure::Certificate => {
            "has a TLS certificate that cannot be verified; check the clock and the root certificates of this \
             machine, and the host in `api`"
                .to_owned()
        }
        Failure::NoTls => {
            "does not speak TLS at this port; check the scheme and the port in `api`".to_owned()
        }
        Failure::Connection => {
            "cannot be reached; check `api`, the network, and a proxy in HTTPS_PROXY".to_owned()
        }
        Failure::Interrupted => {
            "closed the connection before the end of its response; check the proxies between if this repeats"
                .to_owned()
        }
    };
    Error::unavailable(format!("{action}: the control plane at {} {failure}", Address(url))).with_source(root)
}

/// The failures that need different remedies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    NoConnection,
    NoAnswer,
    Name,
    Refused,
    Unreachable,
    Certificate,
    NoTls,
    Connection,
    Interrupted,
}

fn failure(error: &reqwest::Error, root: &str) -> Failure {
    let kind = chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind).last();
    let has = |text: &str| chain(error).any(|cause| cause.to_string().contains(text));
    match kind {
        _ if error.is_timeout() && error.is_connect() => Failure::NoConnection,
        _ if error.is_timeout() => Failure::NoAnswer,
        _ if !error.is_connect() => Failure::Interrupted,
        _ if has("dns error") => Failure::Name,
        Some(io::ErrorKind::TimedOut) => Failure::NoConnection,
        Some(io::ErrorKind::ConnectionRefused) => Failure::Refused,
        Some(
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown,
        ) => Failure::Unreachable,
        // The words of rustls, whose error type is not public here.
        _ if root.contains("certificate") => Failure::Certificate,
        Some(io::ErrorKind::InvalidData) => Failure::NoTls,
        _ => Failure::Connection,
    }
}

/// Returns the text of the innermost cause. The others name the layers of the HTTP client.
fn root_cause(error: &reqwest::Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// Returns the causes of an error, the outermost first.
fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause| below(*cause))
}

/// Returns the cause below `error`. An I/O error that wraps another error hides it from `source`.
fn below<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(wrapper) => wrapper.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
        None => error.source(),
    }
}
