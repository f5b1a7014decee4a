//! Verdicts on configurations.

use crate::diagnostics::rejection::Rejection;

/// The verdict on a configuration that was tried.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The files are what is served already.
    Unchanged {
        /// The generation that is served.
        generation: u64,
    },
    /// It is live.
    Applied {
        /// Its generation.
        generation: u64,
    },
    /// It is not live; what was served before is served on.
    Rejected(Rejection),
}
