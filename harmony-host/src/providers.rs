//! The providers of a configuration: built from it, isolated from the gateway, and what they resolved before.

mod builtin;
pub(crate) mod inventory;
pub(crate) mod isolate;
pub(crate) mod resolutions;
mod set;

pub use builtin::registry;
pub use set::Providers;
pub(crate) use set::Surroundings;
