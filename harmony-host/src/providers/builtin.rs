//! The providers that are compiled into this gateway. No other file names one.

use provider_api::Registry;

/// Returns the registry of the compiled-in providers, set up from the environment of this process.
pub fn registry() -> Registry {
    #[allow(unused_mut, reason = "a gateway may be built without any")]
    let mut registry = Registry::new();
    #[cfg(feature = "local")]
    registry.register(provider_local::LocalFactory);
    #[cfg(feature = "runbeam")]
    registry.register(provider_runbeam::RunbeamFactory::from_env());
    registry
}
