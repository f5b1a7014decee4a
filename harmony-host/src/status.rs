//! The status of the gateway: the desired, attempted and effective configuration, and the sync with the provider.

mod audit;
mod board;
mod change;
mod evidence;
mod history;
mod not_taken;
mod overlay;
mod overview;
mod pause;
mod sync;
mod timestamp;

pub use audit::AuditStatus;
pub(crate) use board::{JournalSummary, PAUSED, StatusBoard};
pub use change::{ChangeOutcome, ChangeReport};
pub use evidence::{AppliedChange, Evidence};
pub use history::{HistoryStatus, RolledBackDocument};
pub use not_taken::NotTaken;
pub use overlay::{DisplacedFile, OverlaidFile, OverlayStatus, ReadOnlyPath};
pub use overview::{AttemptVerdict, Attempted, Desired, Effective, LastGoodStatus, ProblemReport, Status};
pub use pause::Pause;
#[cfg(feature = "management")]
pub(crate) use sync::in_words as cadence_in_words;
pub use sync::{Authorization, SyncFailure, SyncStatus};
pub(crate) use timestamp::timestamp;
