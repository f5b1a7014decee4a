//! The option `--state-dir`.

use std::path::{Path, PathBuf};

use clap::Args;
use provider_api::Registry;

use crate::host::{HostOptions, is_blank};

/// The option `--state-dir`.
#[derive(Debug, Args)]
pub(super) struct StateDir {
    /// The directory for state that survives a restart: machine token, journal, overlay, last good configuration
    ///
    /// The default is HARMONY_STATE_DIR, else STATE_DIRECTORY (set by systemd), else .runbeam in the home directory
    /// (HOME), else .runbeam beside the configuration. Only the owner can read the files in it.
    #[arg(long, value_name = "PATH")]
    state_dir: Option<PathBuf>,
}

impl StateDir {
    /// Returns the host options for the configuration `config`.
    pub(super) fn options(&self, config: &Path, registry: Registry) -> HostOptions {
        let mut options = HostOptions::new(config, registry);
        // Scripts often pass an empty value for an unset one.
        if let Some(chosen) = self.state_dir.clone().filter(|path| !is_blank(path.as_os_str())) {
            options.state_dir = chosen;
        }
        options
    }
}
