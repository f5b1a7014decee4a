//! The factory: builds providers and holds their shared state.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use provider_api::{
    BuildContext, InvalidSettings, LegacySection, Provider, ProviderFactory, SettingsProfile,
};

use crate::api::Api;
use crate::credentials::Credentials;
use crate::deadlines::Deadlines;
use crate::environment::Environment;
use crate::interner::Interner;
use crate::key_sets::KeySets;
use crate::official::DEFAULT_API;
use crate::pool::{Pool, PoolOptions};
use crate::runbeam::Runbeam;
use crate::settings::{Settings, is_loopback};
use crate::store::Store;

/// The factory of providers of the type `runbeam`.
///
/// A configuration reload builds a new provider. The factory keeps the connections, the machine token and the
/// published keys, so that the new provider continues with those of the old one.
#[derive(Debug)]
pub struct RunbeamFactory {
    environment: Environment,
    deadlines: Deadlines,
    pools: Interner<PoolOptions, Pool>,
    apis: Interner<(String, PoolOptions), Api>,
    key_sets: Interner<(String, PoolOptions), KeySets>,
    credentials: Interner<(PathBuf, String, String), Credentials>,
}

impl RunbeamFactory {
    /// Creates a factory with the values of `environment` and the default deadlines.
    pub fn new(environment: Environment) -> Self {
        Self {
            environment,
            deadlines: Deadlines::default(),
            pools: Interner::default(),
            apis: Interner::default(),
            key_sets: Interner::default(),
            credentials: Interner::default(),
        }
    }

    /// Creates a factory with the environment variables of this process, which are read once, here.
    pub fn from_env() -> Self {
        Self::new(Environment::of_process())
    }

    /// Replaces the deadlines.
    #[must_use]
    pub fn with_deadlines(self, deadlines: Deadlines) -> Self {
        Self { deadlines, ..self }
    }

    /// Reports whether invalid certificates are accepted, which takes both the setting and the variable: one who can
    /// only set a variable, or only edit the configuration, must not be able to intercept the connections.
    fn accepts_invalid_certs(&self, settings: &Settings, name: &str) -> bool {
        let both = self.environment.accept_invalid_certs && settings.accept_invalid_certs;
        if both {
            tracing::warn!(
                provider = name,
                "certificates of the control plane are NOT verified: an attacker on the network can read and change everything"
            );
        } else if self.environment.accept_invalid_certs {
            tracing::warn!(
                provider = name,
                "RUNBEAM_ACCEPT_INVALID_CERTS is ignored: certificates are verified; for development add \
                 accept_invalid_certs = true to [provider.{name}] as well"
            );
        } else if settings.accept_invalid_certs {
            tracing::warn!(
                provider = name,
                "accept_invalid_certs is ignored: certificates are verified; for development set \
                 RUNBEAM_ACCEPT_INVALID_CERTS=true as well"
            );
        }
        both
    }
}

impl ProviderFactory for RunbeamFactory {
    const TYPE: &'static str = "runbeam";
    type Settings = Settings;

    /// Builds a provider. Does no I/O: the machine token is read when it is first needed.
    ///
    /// # Errors
    /// [`Invalid`](provider_api::ErrorKind::Invalid) for an `api` that is not a URL or would send the
    /// machine token unencrypted, and for an interval out of range.
    fn build(&self, context: BuildContext, settings: Settings) -> Result<Arc<dyn Provider>, InvalidSettings> {
        let (configured, cadence) = settings.validated(context.name.as_str())?;
        for key in &settings.unknown {
            tracing::warn!(provider = %context.name, key = %key.escape_debug(), "unknown key in the provider section");
        }
        let options = PoolOptions {
            accept_invalid_certs: self.accepts_invalid_certs(&settings, context.name.as_str()),
            no_proxy: is_loopback(&configured),
        };
        let origin = configured.origin().ascii_serialization();
        let key = (configured.to_string(), options);
        let api = self.apis.get(key.clone(), || {
            let pool = self.pools.get(options, || Pool::new(options, self.deadlines));
            Api::new(pool, Arc::clone(&context.clock), configured)
        });
        let keys = self.key_sets.get(key, || KeySets::new(Arc::clone(&api)));
        let key = (context.state_dir.clone(), context.gateway.clone(), origin.clone());
        let credentials = self.credentials.get(key, || {
            let encryption_key = self.environment.encryption_key.clone();
            let store = Store::new(&context.state_dir, &context.gateway, encryption_key);
            Credentials::new(store, origin, &self.environment)
        });
        Ok(Arc::new(Runbeam {
            context,
            api,
            credentials,
            keys,
            cadence,
            pending_etag: ArcSwapOption::empty(),
            withheld: ArcSwapOption::empty(),
            foreign: std::sync::Mutex::default(),
        }))
    }

    fn profile(&self) -> SettingsProfile {
        SettingsProfile::new()
            .with_defaults(&[("api", DEFAULT_API)])
            .with_legacy(LegacySection {
                name: "runbeam",
                keys: &[("cloud_api_base_url", "api"), ("poll_interval_secs", "poll_interval_secs")],
            })
            .with_public_keys(&["api", "enabled", "poll_interval_secs"])
            .with_keys(&["api", "allow_insecure", "accept_invalid_certs"])
            .with_address_key("api")
    }

    /// References go to the control plane.
    fn uses_resources(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use provider_api::{Inventory, ProviderName, SystemClock};

    use super::*;

    // Evicting the credential of a running provider would give the next one a state of its own, which does not
    // know that the control plane refused the token.
    #[test]
    fn values_of_a_running_provider_stay() {
        let factory = RunbeamFactory::new(Environment::default());
        let build = |n: usize| {
            let context = BuildContext {
                name: "runbeam".parse::<ProviderName>().unwrap(),
                gateway: "gateway-a".to_owned(),
                inventory: Arc::new(Inventory::default()),
                state_dir: "/nonexistent".into(),
                clock: Arc::new(SystemClock),
                key_lifetime: Duration::from_secs(3600),
            };
            let settings = Settings { api: format!("https://api-{n}.example"), ..Settings::default() };
            factory.build(context, settings).unwrap()
        };
        let values = || {
            let is_first = |api: &str| api.contains("api-0.");
            let api = factory.apis.entries().into_iter().find(|(key, _)| is_first(&key.0)).unwrap().1;
            let keys = factory.key_sets.entries().into_iter().find(|(key, _)| is_first(&key.0)).unwrap().1;
            let credentials = factory.credentials.entries().into_iter().find(|(key, _)| is_first(&key.2));
            (Arc::as_ptr(&api), Arc::as_ptr(&keys), Arc::as_ptr(&credentials.unwrap().1))
        };
        let running = build(0);
        let before = values();
        (1..100).for_each(|n| drop(build(n)));
        assert_eq!(values(), before);
        drop(running);
    }
}
