//! The stored credential of the gateway.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use provider_api::Secret;

/// The simulated disk. It survives a restart, unlike a factory.
pub(crate) type Disk = Arc<Mutex<Option<Credential>>>;

/// A machine credential.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) token: Secret,
    pub(crate) gateway: String,
    pub(crate) expires_at: SystemTime,
    pub(crate) refused: bool,
}
