//! Verdicts on configurations.

use crate::diagnostics::rejection::Rejection;
use crate::journal::Attempt;

/// The verdict on a configuration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// The files equal the live configuration.
    Unchanged {
        /// The live generation.
        generation: u64,
    },
    /// The configuration is live.
    Applied {
        /// The generation of the configuration.
        generation: u64,
    },
    /// The configuration was rejected. The previous one stays live.
    Rejected(Rejection),
}

/// The verdict on a change of a provider.
#[derive(Clone, Debug)]
pub(crate) enum ChangeVerdict {
    /// The change is live.
    Applied,
    /// The change was rejected and its files are restored. The attempt is set if another attempt may succeed.
    Rejected(Rejection, Option<Attempt>),
    /// A target file was edited after the change was rejected: the edit is newer and stays.
    Superseded,
    /// The change cannot be checked now, for a reason outside of it. It waits and is tried again.
    Deferred(String),
}
