//! Snapshots of files on the disk, one after the other.
#![cfg(feature = "local")]

pub(crate) mod incremental;
mod kept;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use provider_api::{ProviderName, SystemClock};

use crate::config::Capabilities;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::rejection::Rejection;
use crate::documents::layers::Layers;
use crate::documents::origins::Origins;
use crate::documents::{Documents, Touched};
use crate::providers::Surroundings;
use crate::providers::resolutions::Resolutions;
use crate::snapshot::Snapshot;

pub(crate) const CONFIG: &str = "[proxy]\nid = \"edge\"\nprimary_provider = \"local\"\n\
                      [network.public.http]\nbind_address = \"127.0.0.1\"\nbind_port = 8080\n\
                      [network.inner.http]\nbind_address = \"127.0.0.1\"\nbind_port = 9090\n";

pub(crate) fn surroundings() -> Surroundings {
    let nowhere = Path::new("/nonexistent/harmony");
    Surroundings {
        registry: crate::registry(),
        default_provider: ProviderName::local(),
        capabilities: Arc::new(
            Capabilities::new().with_endpoint("http").with_backend("http").with_backend("echo"),
        ),
        allow_unknown_keys: true,
        clock: Arc::new(SystemClock),
        state_dir: nowhere.to_owned(),
        origins: Origins::open(nowhere, nowhere),
        resolutions: Resolutions::new(Arc::new(SystemClock), Vec::new()),
    }
}

fn build(
    documents: &Arc<Documents>,
    problems: Problems,
    surroundings: &Surroundings,
    before: Option<&Snapshot>,
) -> Result<Snapshot, Rejection> {
    Snapshot::build(Arc::clone(documents), problems, 1, surroundings, before)
}

pub(crate) fn write(root: &Path, file: &str, text: Option<&String>) -> PathBuf {
    let path = root.join(file);
    match text {
        Some(text) => fs::write(&path, text).unwrap(),
        None => drop(fs::remove_file(&path)),
    }
    path
}
