//! The state directory on the command line.

use std::path::{Path, PathBuf};

use clap::Args;
use provider_api::Registry;

use crate::host::HostOptions;

/// The place of the state.
#[derive(Debug, Args)]
pub(super) struct StateDir {
    /// Where the gateway and its providers keep what must survive a restart: machine token, journal, what was good
    ///
    /// Without it, HARMONY_STATE_DIR; else what systemd gives (STATE_DIRECTORY); else .runbeam in the home directory (HOME); else .runbeam
    /// beside the configuration. What is made there is for its owner only.
    #[arg(long, value_name = "PATH")]
    state_dir: Option<PathBuf>,
}

impl StateDir {
    /// The options that a gateway on `config` is started with.
    pub(super) fn options(&self, config: &Path, registry: Registry) -> HostOptions {
        let mut options = HostOptions::new(config, registry);
        // An empty value is how people unset one.
        if let Some(chosen) = self.state_dir.clone().filter(|path| !path.as_os_str().is_empty()) {
            options.state_dir = chosen;
        }
        options
    }
}
