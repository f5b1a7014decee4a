//! The host: the lifecycle and the control of one gateway.

mod authorize;
mod check;
mod compare;
mod control;
#[cfg(feature = "gateway")]
mod foresee;
mod handle;
mod log_levels;
mod options;
mod provider_section;
mod readiness;

pub use authorize::Authorized;
pub use check::check;
#[cfg(feature = "management")]
pub(crate) use compare::Comparison;
#[cfg(feature = "management")]
pub(crate) use control::Control;
#[cfg(feature = "gateway")]
pub(crate) use foresee::foresee;
pub use handle::Host;
pub use log_levels::{Levels, LogLevels};
pub use options::HostOptions;
#[cfg(feature = "gateway")]
pub(crate) use options::{absolute, is_blank};
#[cfg(feature = "management")]
pub(crate) use readiness::Readiness;
