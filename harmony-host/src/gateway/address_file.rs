//! The address file: where the management API of a running gateway is, for the command line.
//!
//! config.toml does not tell: an edit of it may be rejected, or not be valid at all, while the gateway serves the API at
//! the address of an earlier version.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use url::Url;

use crate::config::{Management, Network};
use crate::host::Host;
use crate::server::reachable;
use crate::snapshot::Snapshot;
use crate::storage::atomic_file;
use crate::storage::lock::Lock;

/// The name of the file, beside the lock of the configuration.
const NAME: &str = "management.json";

/// The size limit of the file in bytes.
const MAX_BYTES: u64 = 16 * 1024;

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct Content {
    url: String,
    process: u32,
}

/// The management API of a running gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServedApi {
    /// The URL of the management API.
    pub(crate) url: Url,
    /// The id of the process.
    pub(crate) process: u32,
}

/// The reason for which the address file does not name the API of a running gateway.
#[derive(Debug)]
pub(crate) enum NotServed {
    /// No gateway has run on the configuration with this state directory.
    NoState,
    /// No gateway runs on the configuration with this state directory.
    NotRunning,
    /// A gateway runs on the configuration. It serves no management API itself, or could not write the file.
    NoFile,
    /// The file or its directory cannot be read, or is not one that only the gateway can have written.
    Unusable(String),
}

impl ServedApi {
    /// Returns the API that `snapshot` serves; `None` if it serves none.
    fn of(snapshot: &Snapshot) -> Option<Self> {
        let url = api_url(&snapshot.config.networks, snapshot.config.management.as_ref()?)?;
        Some(Self { url, process: std::process::id() })
    }

    /// Reads the file in `directory`, the directory of a configuration's saved state. It counts only while a gateway holds
    /// the lock of the directory: the address of one that was killed may belong to another program by now. The number is
    /// the user id of its owner.
    ///
    /// # Errors
    /// The reason for which there is no address.
    pub(crate) fn read(directory: &Path) -> Result<(Self, u32), NotServed> {
        let unusable = |error: io::Error| NotServed::Unusable(error.to_string());
        match fs::metadata(directory) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(NotServed::NoState),
            Err(error) => return Err(unusable(error)),
        }
        if !Lock::is_held(directory).map_err(unusable)? {
            return Err(NotServed::NotRunning);
        }
        let path = directory.join(NAME);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(NotServed::NoFile),
            Err(error) => return Err(unusable(error)),
        };
        if !is_private(&metadata, &fs::metadata(directory).map_err(unusable)?) {
            let shown = path.display();
            return Err(NotServed::Unusable(format!("others than the gateway can write {shown}")));
        }
        let mut text = String::new();
        let file = fs::File::open(&path).map_err(unusable)?;
        file.take(MAX_BYTES).read_to_string(&mut text).map_err(unusable)?;
        let content = serde_json::from_str::<Content>(&text).ok();
        let served = content
            .and_then(|content| Some(Self { url: Url::parse(&content.url).ok()?, process: content.process }));
        let invalid = || NotServed::Unusable(format!("{} is not an address file", path.display()));
        Ok((served.ok_or_else(invalid)?, metadata.uid()))
    }
}

/// Returns whether only one user can have written a file and the entries of its directory.
fn is_private(file: &fs::Metadata, directory: &fs::Metadata) -> bool {
    let others_write = |metadata: &fs::Metadata| metadata.permissions().mode() & 0o022 != 0;
    file.is_file() && file.uid() == directory.uid() && !others_write(file) && !others_write(directory)
}

/// Returns the URL at which clients on this machine reach the management API; `None` without a listener for it.
pub(crate) fn api_url(networks: &[Network], management: &Management) -> Option<Url> {
    let network = networks.iter().find(|network| network.name == management.network.value)?;
    let listen = network.listen.as_ref()?;
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    Url::parse(&format!("{scheme}://{}/{}", reachable(listen.address.value), management.base_path)).ok()
}

/// The writer of the address file. It follows the served configuration, and removes the file when it is dropped.
#[derive(Debug)]
pub(super) struct AddressFile {
    file: Arc<File>,
    following: JoinHandle<()>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// The address in the file; `Err` once the file must not be written any more.
    written: Mutex<Result<Option<ServedApi>, ()>>,
}

impl AddressFile {
    /// Writes the file of `host` in `directory`, and again whenever the served address changes.
    pub(super) async fn keep(host: &Host, directory: &Path) -> Self {
        let file = Arc::new(File { path: directory.join(NAME), written: Mutex::new(Ok(None)) });
        let mut snapshots = host.snapshots();
        if let Some(first) = snapshots.next().await {
            Arc::clone(&file).update(ServedApi::of(&first)).await;
        }
        let follower = Arc::clone(&file);
        let following = tokio::spawn(async move {
            while let Some(snapshot) = snapshots.next().await {
                Arc::clone(&follower).update(ServedApi::of(&snapshot)).await;
            }
        });
        Self { file, following }
    }
}

impl Drop for AddressFile {
    fn drop(&mut self) {
        self.following.abort();
        let mut written = self.file.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(Some(_)) = *written {
            let _ = atomic_file::remove(&self.file.path);
        }
        *written = Err(());
    }
}

impl File {
    /// Writes or removes the file, if its content differs. The gateway serves all the same when that fails.
    async fn update(self: Arc<Self>, served: Option<ServedApi>) {
        let _ = tokio::task::spawn_blocking(move || {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            if written.as_ref().is_ok_and(|before| *before != served)
                && let Err(error) = self.replace(served.as_ref())
            {
                let file = self.path.display();
                tracing::warn!(%file, %error, "the address of the management API cannot be saved; `status` and `sync` need --url");
            }
            if written.is_ok() {
                *written = Ok(served);
            }
        })
        .await;
    }

    fn replace(&self, served: Option<&ServedApi>) -> io::Result<()> {
        let Some(served) = served else { return atomic_file::remove(&self.path) };
        // A file of an earlier gateway may be readable by others, and the mode of a replaced file stays.
        atomic_file::remove(&self.path)?;
        let content = Content { url: served.url.to_string(), process: served.process };
        atomic_file::write(&self.path, &serde_json::to_vec(&content)?, 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        (dir, inner)
    }

    #[test]
    fn an_address_counts_while_its_gateway_runs() {
        let (_dir, inner) = directory();
        assert!(matches!(ServedApi::read(&inner), Err(NotServed::NoState)));
        let lock = Lock::take(&inner).unwrap();
        assert!(matches!(ServedApi::read(&inner), Err(NotServed::NoFile)));
        let served = ServedApi { url: "http://127.0.0.1:9090/admin".parse().unwrap(), process: 1 };
        let file = File { path: inner.join(NAME), written: Mutex::new(Ok(None)) };
        file.replace(Some(&served)).unwrap();
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(ServedApi::read(&inner).unwrap().0, served);
        drop(lock);
        assert!(matches!(ServedApi::read(&inner), Err(NotServed::NotRunning)));
    }

    #[test]
    fn a_file_that_others_can_write_is_not_used() {
        let (_dir, inner) = directory();
        let _lock = Lock::take(&inner).unwrap();
        let path = inner.join(NAME);
        let text = r#"{"url":"http://127.0.0.1:9090/admin","process":1}"#;
        fs::write(&path, text).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set(&path, 0o622);
        assert!(matches!(ServedApi::read(&inner), Err(NotServed::Unusable(_))));
        set(&path, 0o600);
        set(&inner, 0o777);
        assert!(matches!(ServedApi::read(&inner), Err(NotServed::Unusable(_))));
        set(&inner, 0o700);
        assert!(ServedApi::read(&inner).is_ok());
        fs::rename(&path, inner.join("other")).unwrap();
        std::os::unix::fs::symlink(inner.join("other"), &path).unwrap();
        assert!(matches!(ServedApi::read(&inner), Err(NotServed::Unusable(_))), "a link");
        fs::remove_file(&path).unwrap();
        for text in ["", "{", "[]", "{\"url\":\"nowhere\",\"process\":1}"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(ServedApi::read(&inner), Err(NotServed::Unusable(_))), "{text}");
        }
    }
}
