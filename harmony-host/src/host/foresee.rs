//! Foreseeing the start of a gateway on a configuration.

use std::sync::Arc;

use crate::apply::{Foreseen, foresee_start};
use crate::config::Capabilities;
use crate::host::options::{HostOptions, absolute};
use crate::providers::resolutions::Resolutions;

/// Predicts the result of a start on a configuration, for an application with these capabilities. Does no network I/O and takes
/// no lock.
pub(crate) async fn foresee(options: &HostOptions, capabilities: Capabilities) -> Foreseen {
    let resolutions = Resolutions::new(Arc::clone(&options.clock), Vec::new());
    let surroundings = options.surroundings(capabilities, resolutions);
    foresee_start(&absolute(&options.config), surroundings).await
}
