//! Checking a configuration without serving it.

use std::sync::Arc;

use provider_api::RejectionClass;

use crate::apply::{Built, build};
use crate::config::Capabilities;
use crate::diagnostics::rejection::Rejection;
use crate::documents::Touched;
use crate::documents::layers::Layers;
use crate::host::options::{HostOptions, absolute};
use crate::providers::resolutions::Resolutions;
use crate::snapshot::Snapshot;

/// Builds the snapshot of a configuration for an application with these capabilities, without serving it. Does no
/// network I/O and takes no lock, so it may run beside a gateway on the same files.
///
/// # Errors
/// Every problem of the configuration.
pub async fn check(options: &HostOptions, capabilities: Capabilities) -> Result<Snapshot, Rejection> {
    let layers = Layers::open(&options.state_dir, &absolute(&options.config));
    let resolutions = Resolutions::new(Arc::clone(&options.clock), Vec::new());
    let surroundings = options.surroundings(capabilities, resolutions);
    match build(layers, surroundings, None, None, Touched::Everything).await.1? {
        Built::New(snapshot) => Ok(*snapshot),
        Built::Unchanged => {
            Err(Rejection::of(RejectionClass::Build, "configuration", "there is nothing to build"))
        }
    }
}
