//! The order of the folders of harmony-host.

/// The folders of a crate, the lowest layer first: each imports only from folders before it.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) folders: &'static [&'static str],
    /// The folders in `folders` that need not exist yet.
    pub(super) pending: &'static [&'static str],
}

/// The order of the table in docs/ARCHITECTURE.md.
pub(super) const HARMONY_HOST: Order = Order {
    folders: &[
        "storage",
        "cache",
        "diagnostics",
        "trace",
        "access_log",
        "otlp",
        "metrics",
        "http",
        "config",
        "documents",
        "providers",
        "plan",
        "status",
        "audit",
        "snapshot",
        "difference",
        "last_good",
        "journal",
        "history",
        "apply",
        "recovery",
        "sync",
        "host",
        "explain",
        "management",
        "proxy",
        "server",
        "gateway",
        "cli",
    ],
    pending: &[],
};

impl Order {
    /// Returns the height of a folder, counted from 0; `None` if the order does not have it.
    pub(super) fn height(&self, folder: &str) -> Option<usize> {
        self.folders.iter().position(|known| *known == folder)
    }
}
