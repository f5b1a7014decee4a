//! State of a provider that survives a restart of the gateway.

/// Saves and restores state that is worth keeping over a restart, such as published verification keys.
///
/// A gateway that restarts while its control plane is down can then verify tokens as before. The host stores
/// the text beside the last good configuration, readable by its owner only, and passes it to the provider
/// that it builds after a restart.
///
/// Neither method does I/O, blocks or panics.
pub trait Retention: Send + Sync {
    /// Returns the state to save, or `None` when there is none.
    ///
    /// Returns the same text until the state changes: the host compares it and writes a file on a difference.
    /// Never contains a credential or a token; those have stores and lifetimes of their own.
    fn save(&self) -> Option<String>;

    /// Restores the state that an earlier process saved.
    ///
    /// `saved` is untrusted: it may be damaged or come from another version. The provider ignores it when it
    /// cannot decode it, when it belongs to another control plane, or when it is too old. Restored state
    /// keeps its original age. State that this process has fetched itself is newer and stays.
    fn restore(&self, saved: &str);
}

const _: fn(&dyn Retention) = |_| {};
