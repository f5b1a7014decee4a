//! The providers of a configuration: building them, isolating their panics, and the cache of their resolutions.

mod builtin;
pub(crate) mod inventory;
pub(crate) mod isolate;
pub(crate) mod resolutions;
mod set;

pub use builtin::registry;
pub use set::Providers;
pub(crate) use set::Surroundings;
