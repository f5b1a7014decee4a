//! The login of the command line, which a user approves in the browser.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::Call;
use super::core::Core;
use super::id::secret;
use super::response::{ApiError, ApiResponse, ApiResult};

/// The time a user has to approve, in seconds.
const SECONDS: i64 = 600;
/// The lifetime of a user token, in seconds.
pub(super) const USER_TOKEN_SECONDS: i64 = 24 * 3600;

/// A login in progress: started by the command line, approved by a user in the browser.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Login {
    pub(super) device_token: String,
    pub(super) expires_at: Timestamp,
    pub(super) user_id: Option<String>,
}

pub(super) fn start(core: &Core, call: &Call) -> ApiResult {
    if !call.body.is_empty() {
        call.json::<Value>()?;
    }
    let device_token = secret();
    let expires_at = Timestamp::now() + SignedDuration::from_secs(SECONDS);
    core.change(|state| {
        state.logins.push(Login { device_token: device_token.clone(), expires_at, user_id: None });
    });
    ApiResponse::ok(&json!({
        "verification_url": format!("{}/login/{device_token}", core.url),
        "device_token": device_token,
        "expires_in_seconds": SECONDS,
    }))
}

pub(super) fn check(core: &Core, device_token: &str) -> ApiResult {
    let mut state = core.state();
    let Some(login) = state.logins.iter().find(|login| login.device_token == device_token) else {
        return ApiResponse::ok(&json!({ "status": "invalid" }));
    };
    if login.expires_at <= Timestamp::now() {
        return ApiResponse::ok(&json!({ "status": "expired" }));
    }
    let Some(user) = login.user_id.as_ref().and_then(|id| state.user(id)).cloned() else {
        return ApiResponse::ok(&json!({ "status": "pending" }));
    };
    let issuer = format!("{}/api/cli/check-login/{device_token}", core.url);
    let token = state.user_jwt(&issuer, &user, USER_TOKEN_SECONDS);
    ApiResponse::ok(&json!({
        "status": "authenticated", "token": token, "expires_in": USER_TOKEN_SECONDS, "user": user.json(),
    }))
}

/// Records the user's approval.
pub(super) fn approve(core: &Core, device_token: &str, user_id: &str) -> Result<(), ApiError> {
    core.change(|state| {
        if state.user(user_id).is_none() {
            return Err(ApiError::not_found("there is no such user"));
        }
        let now = Timestamp::now();
        let mut logins = state.logins.iter_mut();
        let login = logins.find(|login| login.device_token == device_token && login.expires_at > now);
        login.ok_or_else(|| ApiError::not_found("there is no such login, or it has expired"))?.user_id =
            Some(user_id.to_owned());
        Ok(())
    })
}
