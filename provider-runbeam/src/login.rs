//! The login of a user: a browser approves it, and whoever began it gets a token of the user.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use provider_api::{Clock, Error, ErrorKind, Result, Secret, SystemClock};
use tokio::time::{Instant, sleep};
use url::Url;

use crate::api::{Api, missing_field};
use crate::call::{Bearer, Call};
use crate::pool::{Pool, PoolOptions};
use crate::purpose::Purpose;
use crate::settings::is_loopback;
use crate::urls::below_api;
use crate::wire::{CheckedLogin, StartedLogin};
use crate::{Deadlines, Settings};

/// The interval of the questions if the user has approved.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// The longest time that a control plane can give a user.
const LONGEST: Duration = Duration::from_secs(3600);

/// The maximum length of an address that is shown to the user, in bytes.
const MAX_ADDRESS: usize = 2048;

/// A login of a user at a control plane, for enrolling a gateway without another tool.
///
/// The control plane gives an address, which the user opens in a browser on any machine. Afterwards the control plane has a
/// token of the user for the one who began the login, who alone knows its secret.
pub struct Login {
    api: Api,
    device_token: Secret,
    /// The address that the user opens.
    pub verification_url: String,
    /// The time until which the user has to approve.
    end: Instant,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("verification_url", &self.verification_url).finish_non_exhaustive()
    }
}

impl Login {
    /// Begins a login at the control plane of `settings`.
    ///
    /// # Errors
    /// Invalid for settings whose address is not usable; Unavailable when the control plane is, or has no such login.
    pub async fn start(settings: &Settings, deadlines: Deadlines) -> Result<Self> {
        let configured = settings.base_url()?;
        let options = PoolOptions { accept_invalid_certs: false, no_proxy: is_loopback(&configured) };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let api = Api::new(Arc::new(Pool::new(options, deadlines)), clock, configured);
        let action = "beginning the login";
        let started: StartedLogin = api.with_deadline(action, start(&api, action)).await?;
        let url = Url::parse(started.verification_url.trim());
        let is_usable =
            |url: &Url| matches!(url.scheme(), "https" | "http") && url.as_str().len() <= MAX_ADDRESS;
        let verification_url = match url {
            Ok(url) if is_usable(&url) => url.to_string(),
            _ => return Err(missing_field(action, api.address(), "verification_url")),
        };
        let time = Duration::from_secs(started.expires_in_seconds).min(LONGEST);
        Ok(Self { api, device_token: started.device_token, verification_url, end: Instant::now() + time })
    }

    /// Returns the time that the user has left.
    pub fn time_left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Waits until the user has approved, and returns the token of the user. A control plane that is away for a moment is asked
    /// again. Cancel safe.
    ///
    /// # Errors
    /// Denied when the time is over, or the control plane does not know the login.
    pub async fn finish(&self) -> Result<Secret> {
        let action = "asking if the login is approved";
        loop {
            match self.api.with_deadline(action, self.check(action)).await {
                Ok(Some(token)) => return Ok(token),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Unavailable && !self.time_left().is_zero() => {
                    tracing::debug!(%error, "asking again");
                }
                Err(error) => return Err(error),
            }
            if self.time_left().is_zero() {
                return Err(Error::denied("nobody approved the login in time; begin it again"));
            }
            sleep(ASK_EVERY.min(self.time_left())).await;
        }
    }

    async fn check(&self, action: &str) -> Result<Option<Secret>> {
        let call = call(action);
        let url = below_api(self.api.base(&call).await?, "cli/check-login", &[self.device_token.expose()]);
        let checked = self.api.get::<CheckedLogin>(&call, url).await;
        let (checked, _) = checked.map_err(|error| without_secret(&error, &self.device_token))?;
        match checked.status.as_str() {
            "pending" => Ok(None),
            "authenticated" => match checked.token {
                Some(token) if !token.is_empty() => Ok(Some(token)),
                _ => Err(missing_field(action, self.api.address(), "token")),
            },
            "expired" => Err(Error::denied("nobody approved the login in time; begin it again")),
            _ => Err(Error::denied("the control plane does not know the login; begin it again")),
        }
    }
}

async fn start(api: &Api, action: &str) -> Result<StartedLogin> {
    let call = call(action);
    let url = below_api(api.base(&call).await?, "cli/start-login", &[]);
    api.post_to(&call, url, &serde_json::json!({})).await
}

/// Returns an error without the secret of a login, which is a part of the URL.
fn without_secret(error: &Error, secret: &Secret) -> Error {
    Error::new(error.kind(), error.to_string().replace(secret.expose(), "..."))
}

fn call(action: &str) -> Call<'_> {
    Call { action, purpose: Purpose::Public, bearer: Bearer::Anonymous, document: false }
}
