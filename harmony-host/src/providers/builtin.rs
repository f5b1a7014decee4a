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

/// A login of a user at a control plane.
#[cfg(feature = "gateway")]
#[cfg_attr(not(feature = "runbeam"), allow(dead_code, reason = "no provider with a login is compiled in"))]
pub(crate) struct UserLogin {
    /// The address that the user opens in a browser.
    pub(crate) verification_url: String,
    /// The time that the user has.
    pub(crate) time: std::time::Duration,
    /// The token of the user, once the login is approved.
    pub(crate) token:
        std::pin::Pin<Box<dyn Future<Output = provider_api::Result<provider_api::Secret>> + Send>>,
}

/// Begins a login at the control plane at `address`. Returns `None` for a provider type whose users have none.
///
/// # Errors
/// The error of the control plane.
#[cfg(all(feature = "gateway", feature = "runbeam"))]
pub(crate) async fn log_in(provider_type: &str, address: &str) -> Option<provider_api::Result<UserLogin>> {
    if provider_type != "runbeam" {
        return None;
    }
    let mut settings = provider_runbeam::Settings::default();
    // The gateway serves the address, so its operator has permitted it.
    (settings.api, settings.allow_insecure) = (address.to_owned(), true);
    let login = provider_runbeam::Login::start(&settings, provider_runbeam::Deadlines::default()).await;
    Some(login.map(|login| UserLogin {
        verification_url: login.verification_url.clone(),
        time: login.time_left(),
        token: Box::pin(async move { login.finish().await }),
    }))
}

/// Begins no login: no provider that has one is compiled in.
#[cfg(all(feature = "gateway", not(feature = "runbeam")))]
pub(crate) async fn log_in(_: &str, _: &str) -> Option<provider_api::Result<UserLogin>> {
    None
}
