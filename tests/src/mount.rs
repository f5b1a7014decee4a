//! Configurations that a gateway process cannot write: mounted in a mount namespace of its own. The test itself still
//! writes them, as the operator of a container does from outside.

use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;

use tokio::process::Command;

/// The way in which a gateway process sees the directory of its configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mount {
    /// As it is.
    #[default]
    Writable,
    /// Mounted read-only, as a ConfigMap or with `docker -v conf:/etc/harmony:ro`.
    ReadOnly,
    /// With this file, named relative to the directory, mounted by itself, as with
    /// `docker -v config.toml:/etc/harmony/config.toml`.
    File(&'static str),
}

const READ_ONLY: &str = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\"";

impl Mount {
    /// Returns the command that runs `program` on the configuration in `dir`. `None` if this machine has no mount
    /// namespaces for this user.
    pub fn command(self, program: &Path, dir: &Path) -> Option<Command> {
        let mount = match self {
            Self::Writable => return Some(Command::new(program)),
            Self::ReadOnly => READ_ONLY.to_owned(),
            Self::File(name) => format!("mount --bind \"$1/{name}\" \"$1/{name}\""),
        };
        if !namespaces() {
            return None;
        }
        let script = format!("{mount} && shift && exec \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"]).arg(dir).arg(program);
        Some(command)
    }

    /// Returns the text of the disk fault that stands in for the mount on a machine without mount namespaces, and says so
    /// in the output of the test. `None` if no fault does.
    pub fn simulated(self, dir: &Path) -> Option<String> {
        /// "Read-only file system".
        const EROFS: i32 = 30;
        if self != Self::ReadOnly || namespaces() {
            return None;
        }
        eprintln!("this machine has no mount namespaces: failing writes stand in for a read-only mount");
        Some(format!("{EROFS} {}/", dir.display()))
    }
}

/// Returns whether this user can mount in a namespace of its own.
fn namespaces() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let script = format!("{READ_ONLY} && ! touch \"$1/file\" 2> /dev/null");
        let mut command = std::process::Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"]).arg(dir.path());
        command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    })
}
