use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::TurnedClock;
use crate::{BuildContext, Inventory, ProviderName};

/// What a provider is built with, where nothing matters but its name and its clock: the gateway `kit-gateway`,
/// which declares nothing, keeps files nowhere, and uses keys for a day. Change the fields that matter.
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
