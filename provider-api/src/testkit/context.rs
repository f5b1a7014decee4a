//! A build context for tests.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::TurnedClock;
use crate::{BuildContext, Inventory, ProviderName};

/// Returns a build context with the given name and clock and with defaults for the rest: the gateway
/// `kit-gateway`, an empty inventory, a state directory that does not exist, and a key lifetime of 24 hours.
pub fn context(name: &ProviderName, clock: &TurnedClock) -> BuildContext {
    BuildContext {
        name: name.clone(),
        gateway: "kit-gateway".to_owned(),
        inventory: Arc::new(Inventory::default()),
        state_dir: PathBuf::from("/nonexistent"),
        clock: Arc::new(clock.clone()),
        key_lifetime: Duration::from_secs(24 * 3600),
    }
}
