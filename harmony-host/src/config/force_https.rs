//! `force_https`: networks whose cleartext requests are redirected, and the listener they are redirected to.

use crate::config::addresses::overlap;
use crate::config::{Listen, Network};
use crate::diagnostics::problem::Problems;

/// Adds an error for every network that redirects to https while nothing serves it.
pub(crate) fn check(networks: &[Network], problems: &mut Problems) {
    if tls_listeners(networks).next().is_some() {
        return;
    }
    for network in networks {
        let Some(forced) = network.listen.as_ref().and_then(|listen| listen.force_https.as_ref()) else {
            continue;
        };
        let key = format!("network.{}.{}.force_https", network.name, forced.value);
        let message = "no network serves TLS, so there is nothing to redirect to";
        problems
            .error(Some(&forced.place), key, message)
            .help("set `cert_path` and `key_path` on a network, or delete this key");
    }
}

/// Returns the TLS listener that cleartext requests of `listen` are redirected to: one on the same IP address before
/// others, then port 443, then the lowest port.
pub(crate) fn https_listener<'a>(listen: &Listen, networks: &'a [Network]) -> Option<&'a Listen> {
    let same_ip = |other: &Listen| {
        let mut theirs = other.address.value;
        theirs.set_port(listen.address.value.port());
        overlap(theirs, listen.address.value)
    };
    let port = |other: &Listen| other.address.value.port();
    tls_listeners(networks).min_by_key(|other| (!same_ip(other), port(other) != 443, port(other)))
}

fn tls_listeners(networks: &[Network]) -> impl Iterator<Item = &Listen> {
    networks.iter().filter_map(|network| network.listen.as_ref()).filter(|listen| listen.tls.is_some())
}
