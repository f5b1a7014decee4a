//! Redirects to https, as an explanation shows them.

use crate::snapshot::Snapshot;

impl Snapshot {
    /// Returns the origin that cleartext requests of a network are redirected to; `Some(None)` for a host that is none of this
    /// gateway. `None` for a network that takes them.
    #[expect(clippy::option_option, reason = "no redirect and no origin are different results")]
    pub(crate) fn https_origin(&self, network: &str, authority: &str) -> Option<Option<String>> {
        self.redirects.get(network).map(|redirect| redirect.origin(authority))
    }
}
