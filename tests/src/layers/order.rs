//! The order of the folders of harmony-host.

/// The folders of a crate, the lowest first: each imports only from those before it.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) folders: &'static [&'static str],
    /// The folders among them that need not exist yet.
    pub(super) pending: &'static [&'static str],
}

/// The order that docs/ARCHITECTURE.md promises.
pub(super) const HARMONY_HOST: Order = Order {
    folders: &[
        "storage",
        "diagnostics",
        "http",
        "config",
        "documents",
        "providers",
        "plan",
        "status",
        "snapshot",
        "last_good",
        "journal",
        "apply",
        "recovery",
        "sync",
        "host",
        "management",
        "proxy",
        "server",
        "gateway",
        "cli",
    ],
    pending: &[],
};

impl Order {
    /// Returns how high a folder stands; nothing when it is not in the order.
    pub(super) fn height(&self, folder: &str) -> Option<usize> {
        self.folders.iter().position(|known| *known == folder)
    }
}
