use std::path::{Path, PathBuf};

use clap::Args;
use provider_api::Registry;

use crate::HostOptions;

/// Where the state is.
#[derive(Debug, Args)]
pub(super) struct StateDir {
    /// Where the gateway and its providers keep what must survive a restart: machine token, journal, what was good
    ///
    /// Without it, what systemd gives (STATE_DIRECTORY); else .runbeam in the home directory (HOME); else .runbeam
    /// beside the configuration. What is made there is for its owner only.
    #[arg(long, value_name = "PATH", env = "HARMONY_STATE_DIR")]
    state_dir: Option<PathBuf>,
}

impl StateDir {
    /// What a gateway on `config` is started with.
    pub(super) fn options(&self, config: &Path, registry: Registry) -> HostOptions {
        let mut options = HostOptions::new(config, registry);
        // An empty variable is how people unset one.
        let chosen = self.state_dir.clone().filter(|path| !path.as_os_str().is_empty());
        let given = std::env::var_os("STATE_DIRECTORY");
        if let Some(directory) = chosen.or_else(|| given.as_ref().and_then(|given| first(given))) {
            options.state_dir = directory;
        }
        options
    }
}

/// systemd names each StateDirectory= of a unit, with colons between.
fn first(given: &std::ffi::OsStr) -> Option<PathBuf> {
    std::env::split_paths(given).find(|path| !path.as_os_str().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_directories_of_a_unit_the_first_is_the_one() {
        assert_eq!(first("/var/lib/harmony:/var/lib/other".as_ref()), Some("/var/lib/harmony".into()));
        assert_eq!(first("".as_ref()), None);
    }
}
