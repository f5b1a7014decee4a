//! The test of power cuts: the record of the operations on the disk, and the recovery alone. In test builds only.

use std::path::Path;

use crate::audit::{self, Key, Place};
use crate::journal::Settlement;
use crate::recovery;
pub use crate::storage::operations::Operation;
pub use crate::storage::operations::recorder::{start_recording, stop_recording};

/// A change in the journal after the recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredChange {
    /// The id at the control plane.
    pub id: String,
    /// The verdict; `None` for a change that the gateway will try again.
    pub verdict: Option<Result<(), String>>,
}

/// Runs the recovery that a start runs before it reads the configuration.
///
/// # Errors
/// The recovery failed.
pub async fn recover(config: &Path, state: &Path) -> Result<Vec<RecoveredChange>, String> {
    let recovered = recovery::recover(config, state).await.map_err(|rejection| rejection.to_string())?;
    let entries = recovered.journal.as_ref().map(|journal| journal.all()).unwrap_or_default();
    let change = |entry: &crate::journal::Entry| {
        let verdict = entry.settlement.as_ref().map(|settlement| match settlement {
            Settlement::Applied => Ok(()),
            Settlement::Rejected { summary, .. } => Err(summary.clone()),
        });
        RecoveredChange { id: entry.id.clone(), verdict }
    };
    Ok(entries.iter().map(|entry| change(entry)).collect())
}

/// Returns the faults of the audit log that no kill and no power cut leaves.
pub fn audit_faults(config: &Path, state: &Path) -> Vec<String> {
    let place = Place::new(state, config, None);
    match place.is_begun() {
        Ok(true) => {}
        Ok(false) => return Vec::new(),
        Err(error) => return vec![error.to_string()],
    }
    let report = Key::read(&place.key()).and_then(|key| audit::verify(place.directory(), &key));
    match report {
        Ok(report) => {
            report.faults.into_iter().map(|fault| format!("{}: {}", fault.file, fault.message)).collect()
        }
        Err(error) => vec![error.to_string()],
    }
}
