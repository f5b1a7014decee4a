//! The providers of a configuration: building them, isolating their panics, and the cache of their resolutions.

mod builtin;
pub(crate) mod inventory;
pub(crate) mod isolate;
mod primary;
pub(crate) mod resolutions;
mod set;

#[cfg(feature = "gateway")]
pub(crate) use builtin::log_in;
pub use builtin::registry;
pub(crate) use primary::{PrimaryProvider, SourceId};
pub use set::Providers;
pub(crate) use set::Surroundings;
