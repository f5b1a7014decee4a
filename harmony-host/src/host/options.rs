//! Options that a host is started with.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use provider_api::{Clock, ProviderName, Registry, SystemClock};

use crate::config::{Capabilities, DEFAULT_PRIMARY};
use crate::documents::origins::Origins;
use crate::host::log_levels::LogLevels;
use crate::providers::Surroundings;
use crate::providers::resolutions::Resolutions;

/// Options that a host is started with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostOptions {
    /// The path of config.toml.
    pub config: PathBuf,
    /// The providers that are compiled in.
    pub registry: Registry,
    /// The primary provider of a configuration that chooses none. Default: `runbeam`.
    pub default_provider: ProviderName,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The directory in which the gateway and its providers store the state that must survive a restart.
    pub state_dir: PathBuf,
    /// The file of the key of the audit log. Default: a key that the gateway makes in its state directory.
    pub audit_key_file: Option<PathBuf>,
    /// Set to push the local configuration to the primary provider before the first sync.
    pub push_on_start: bool,
    /// Set to accept keys that this version does not know, with a warning. A likely misspelling of a security-relevant key
    /// stays an error. Not set by default.
    pub allow_unknown_keys: bool,
    /// The deadline of each step of the [`Activation`](crate::Activation). Default: 10 s.
    pub activation_deadline: Duration,
    /// The log levels of the process, which the management API can then change. Default: none.
    pub log_levels: Option<Arc<dyn LogLevels>>,
}

/// The default deadline of an activation step.
const ACTIVATION_DEADLINE: Duration = Duration::from_secs(10);

impl HostOptions {
    /// Creates options for `config` with the machine's clock and the state directory of the environment:
    /// `HARMONY_STATE_DIR`, else the first directory of systemd's `STATE_DIRECTORY`, else `.runbeam` in `HOME`, else
    /// `.runbeam` beside `config`.
    pub fn new(config: impl Into<PathBuf>, registry: Registry) -> Self {
        let config = config.into();
        Self {
            default_provider: DEFAULT_PRIMARY.parse().unwrap_or_else(|_| ProviderName::local()),
            clock: Arc::new(SystemClock),
            state_dir: state_directory(|name| std::env::var_os(name), &config),
            audit_key_file: None,
            push_on_start: false,
            allow_unknown_keys: false,
            activation_deadline: ACTIVATION_DEADLINE,
            log_levels: None,
            config,
            registry,
        }
    }

    pub(crate) fn surroundings(
        &self,
        capabilities: Capabilities,
        resolutions: Arc<Resolutions>,
    ) -> Surroundings {
        Surroundings {
            registry: self.registry.clone(),
            default_provider: self.default_provider.clone(),
            capabilities: Arc::new(capabilities),
            allow_unknown_keys: self.allow_unknown_keys,
            clock: Arc::clone(&self.clock),
            state_dir: self.state_dir.clone(),
            origins: Origins::open(&self.state_dir, &absolute(&self.config)),
            resolutions,
        }
    }
}

/// Returns the state directory that the environment names. It is never a shared directory such as /tmp, since the gateway
/// trusts the saved state. A blank variable counts as unset, since scripts often pass an empty value for an unset one.
fn state_directory(variable: impl Fn(&str) -> Option<OsString>, config: &Path) -> PathBuf {
    let set = |name: &str| variable(name).filter(|value| !is_blank(value));
    let named = set("HARMONY_STATE_DIR").map(PathBuf::from);
    let unit = || set("STATE_DIRECTORY").as_deref().and_then(first);
    let home = || Some(PathBuf::from(set("HOME")?).join(".runbeam"));
    let beside = || absolute(config).parent().map(Path::to_owned).unwrap_or_default().join(".runbeam");
    named.or_else(unit).or_else(home).unwrap_or_else(beside)
}

/// Returns whether the value of a variable is blank.
pub(crate) fn is_blank(value: &OsStr) -> bool {
    value.as_encoded_bytes().iter().all(u8::is_ascii_whitespace)
}

/// Returns the first directory of `STATE_DIRECTORY`, in which systemd separates several directories by colons.
fn first(directories: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(directories).find(|path| !path.as_os_str().is_empty())
}

/// Returns `path` as an absolute path.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(variables: &[(&str, &str)], config: &str) -> PathBuf {
        let find = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into());
        state_directory(find, Path::new(config))
    }

    #[test]
    fn environment_names_the_state_directory() {
        let config = "/etc/harmony/config.toml";
        let (own, unit, home) =
            (("HARMONY_STATE_DIR", "/own"), ("STATE_DIRECTORY", "/var/a:/var/b"), ("HOME", "/home/a"));
        assert_eq!(directory(&[own, unit, home], config), Path::new("/own"));
        assert_eq!(directory(&[("HARMONY_STATE_DIR", ""), unit, home], config), Path::new("/var/a"));
        assert_eq!(directory(&[("HARMONY_STATE_DIR", " \t"), unit, home], config), Path::new("/var/a"));
        assert_eq!(directory(&[("STATE_DIRECTORY", ""), home], config), Path::new("/home/a/.runbeam"));
        assert_eq!(directory(&[("HOME", "")], config), Path::new("/etc/harmony/.runbeam"));
        assert_eq!(directory(&[], "config.toml"), std::env::current_dir().unwrap().join(".runbeam"));
    }
}
