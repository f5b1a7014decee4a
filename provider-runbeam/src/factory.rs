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
use crate::pool::{Pool, PoolOptions};
use crate::runbeam::Runbeam;
use crate::settings::{DEFAULT_API, Settings, is_loopback};
use crate::store::Store;

/// Makes providers of the type `runbeam`, and holds what outlives each of them: connections, the machine
/// token, and published keys.
#[derive(Debug)]
pub struct RunbeamFactory {
    environment: Environment,
    deadlines: Deadlines,
    pools: Interner<PoolOptions, Pool>,
    apis: Interner<(String, PoolOptions), (Arc<Api>, Arc<KeySets>)>,
    credentials: Interner<(PathBuf, String, String), Credentials>,
}

impl RunbeamFactory {
    /// A factory for a process that was started with `environment`.
    pub fn new(environment: Environment) -> Self {
        Self {
            environment,
            deadlines: Deadlines::default(),
            pools: Interner::default(),
            apis: Interner::default(),
            credentials: Interner::default(),
        }
    }

    /// A factory that reads the environment of this process, once and now.
    pub fn from_env() -> Self {
        Self::new(Environment::of_process())
    }

    /// The same with other deadlines.
    #[must_use]
    pub fn with_deadlines(self, deadlines: Deadlines) -> Self {
        Self { deadlines, ..self }
    }

    /// `RUNBEAM_ACCEPT_INVALID_CERTS` alone changes nothing: whoever can set a variable must not be able to
    /// read along.
    fn accepts_invalid_certs(&self, settings: &Settings, name: &str) -> bool {
        let both = self.environment.accept_invalid_certs && settings.accept_invalid_certs;
        if both {
            tracing::warn!(
                provider = name,
                "certificates of the control plane are NOT verified: whoever is in between reads and changes everything"
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

    /// Does no I/O: the machine token is read when it is first needed.
    ///
    /// # Errors
    /// [`Invalid`](provider_api::ErrorKind::Invalid) for an `api` that is no URL, or would send the machine
    /// token in the clear, and for an interval out of bounds.
    fn build(&self, context: BuildContext, settings: Settings) -> Result<Arc<dyn Provider>, InvalidSettings> {
        let (configured, cadence) = settings.checked(context.name.as_str())?;
        for key in &settings.unknown {
            tracing::warn!(provider = %context.name, key = %key.escape_debug(), "this key is not known here");
        }
        let options = PoolOptions {
            accept_invalid_certs: self.accepts_invalid_certs(&settings, context.name.as_str()),
            direct: is_loopback(&configured),
        };
        let origin = configured.origin().ascii_serialization();
        let shared = self.apis.get((configured.to_string(), options), || {
            let pool = self.pools.get(options, || Pool::new(options, self.deadlines));
            let api = Arc::new(Api::new(pool, Arc::clone(&context.clock), configured));
            (Arc::clone(&api), Arc::new(KeySets::new(api)))
        });
        let key = (context.state_dir.clone(), context.gateway.clone(), origin.clone());
        let credentials = self.credentials.get(key, || {
            let encryption_key = self.environment.encryption_key.clone();
            let store = Store::new(&context.state_dir, &context.gateway, encryption_key);
            Credentials::new(store, origin, &self.environment)
        });
        Ok(Arc::new(Runbeam {
            context,
            api: Arc::clone(&shared.0),
            credentials: Credentials::clone(&credentials),
            keys: Arc::clone(&shared.1),
            cadence,
            pending_etag: ArcSwapOption::empty(),
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
    }
}
