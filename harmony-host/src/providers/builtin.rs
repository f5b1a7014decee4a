use provider_api::Registry;

/// The providers that are compiled into this gateway, as the environment of this process sets them up. The
/// only file that names them.
pub fn registry() -> Registry {
    #[allow(unused_mut, reason = "a gateway may be built without any")]
    let mut registry = Registry::new();
    #[cfg(feature = "local")]
    registry.register(provider_local::LocalFactory);
    #[cfg(feature = "runbeam")]
    registry.register(provider_runbeam::RunbeamFactory::from_env());
    registry
}
