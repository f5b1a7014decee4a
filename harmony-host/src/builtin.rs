use provider_api::Registry;

/// The providers that are compiled into this gateway. The only file that names them.
pub fn registry() -> Registry {
    #[allow(unused_mut, reason = "a gateway may be built without any")]
    let mut registry = Registry::new();
    #[cfg(feature = "local")]
    registry.register(provider_local::LocalFactory);
    registry
}
