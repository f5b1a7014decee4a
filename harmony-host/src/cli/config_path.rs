//! The path of the configuration on the command line.

use std::path::PathBuf;

use clap::Args;

/// The path of the configuration.
#[derive(Debug, Args)]
pub(super) struct ConfigPath {
    /// The configuration's main file; the others are found relative to it
    #[arg(long, value_name = "PATH", default_value = "./config/config.toml", env = "HARMONY_CONFIG")]
    pub(super) config: PathBuf,
}
