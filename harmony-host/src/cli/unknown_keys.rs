//! The option `--allow-unknown-keys`.

use clap::Args;

/// The option `--allow-unknown-keys`.
#[derive(Debug, Args)]
pub(super) struct UnknownKeys {
    /// Accept keys that this version does not know, with a warning
    ///
    /// Meant for configurations of a newer gateway. A likely misspelling of a security-relevant key, such as `moed` for
    /// `mode`, stays an error.
    #[arg(long)]
    pub(super) allow_unknown_keys: bool,
}
