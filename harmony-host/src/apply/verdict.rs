//! Verdicts on configurations.

use crate::diagnostics::rejection::Rejection;

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
