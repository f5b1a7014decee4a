//! The option `--config`.

use std::path::PathBuf;

use clap::Args;

/// The option `--config`.
#[derive(Debug, Args)]
pub(super) struct ConfigPath {
    /// The main configuration file; paths of the other files are relative to it
    #[arg(long, value_name = "PATH", default_value = "./config/config.toml", env = "HARMONY_CONFIG")]
    pub(super) config: PathBuf,
}
