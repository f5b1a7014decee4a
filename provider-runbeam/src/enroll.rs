//! Enrollment: authorization of the gateway by a user, and adoption of a machine token.

use std::time::SystemTime;

use provider_api::{
    CredentialStatus, Enrolled, Enrollment, EnrollmentRequest, Error, ErrorKind, MachineCredential, Result,
    async_trait,
};
use url::Url;

use crate::call::{Bearer, Call};
use crate::credential::Credential;
use crate::purpose::Purpose;
use crate::runbeam::{Runbeam, missing_field};
use crate::wire::{AuthorizeRequest, Authorized};

#[async_trait]
impl Enrollment for Runbeam {
    async fn enroll(&self, request: &EnrollmentRequest) -> Result<Enrolled> {
        let action = "authorizing this gateway";
        self.api.with_deadline(action, self.authorize(action, request)).await
    }

    async fn adopt(&self, credential: MachineCredential) -> Result<Enrolled> {
        if let Some(given) = &credential.control_plane {
            self.check_origin(given)?;
        }
        let now = self.context.clock.now();
        let (name, key) = (credential.gateway_code.clone(), credential.storage_key.clone());
        let credential = Credential::from(credential).validated()?;
        if credential.is_expired(now) {
            return Err(Error::invalid("the machine token has already expired"));
        }
        // The caller of `adopt` proves nothing, so its token must not turn this gateway into another one.
        let current =
            self.credentials.current(now).await.ok().filter(|_| {
                matches!(self.credentials.credential_status(now), CredentialStatus::Valid { .. })
            });
        if current.is_some_and(|current| current.gateway_id != credential.gateway_id) {
            return Err(Error::invalid(
                "the machine token is for another gateway; this gateway is authorized already, so a user has to authorize it",
            ));
        }
        let enrolled = Enrolled {
            gateway_id: credential.gateway_id.clone(),
            gateway_code: name,
            gateway_name: None,
            expires_at: credential.expires_at,
        };
        self.credentials.renew(credential, key, now).await?;
        Ok(enrolled)
    }

    fn credential_status(&self) -> CredentialStatus {
        self.credentials.credential_status(self.context.clock.now())
    }
}

impl Runbeam {
    async fn authorize(&self, action: &str, request: &EnrollmentRequest) -> Result<Enrolled> {
        let call = Call { action, purpose: Purpose::User, bearer: Bearer::User(&request.user_token) };
        let body = AuthorizeRequest {
            token: request.user_token.expose(),
            gateway_code: &request.gateway_code,
            machine_public_key: request.machine_public_key.as_deref(),
            metadata: &request.metadata,
        };
        let answer: Result<Authorized> = self.api.post(&call, "harmony/authorize", &body).await;
        let answer = answer.map_err(not_found_as_unavailable)?;
        let now = self.context.clock.now();
        let gateway = answer.gateway;
        let credential = Credential {
            token: answer.machine_token,
            expires_at: SystemTime::try_from(answer.expires_at)
                .map_err(|_| missing_field(action, "expires_at"))?,
            gateway_id: gateway.id.clone(),
            gateway_code: gateway.code.clone(),
            abilities: answer.abilities,
            control_plane: None,
        };
        let credential = credential.validated().map_err(|error| {
            Error::unavailable(format!("{action}: the control plane sent an invalid machine token: {error}"))
        })?;
        if credential.is_expired(now) {
            return Err(missing_field(action, "expires_at"));
        }
        let expires_at = credential.expires_at;
        self.credentials.renew(credential, request.storage_key.clone(), now).await?;
        Ok(Enrolled {
            gateway_id: gateway.id,
            gateway_code: gateway.code,
            gateway_name: gateway.name,
            expires_at,
        })
    }

    /// Checks that a token is for the configured control plane. A token of another one would be sent to a server that
    /// must not see it.
    fn check_origin(&self, given: &str) -> Result<()> {
        let ours = self.api.configured().origin();
        match Url::parse(given.trim()) {
            Ok(given) if given.origin() == ours => Ok(()),
            _ => Err(Error::invalid(format!(
                "the machine token is not for the configured control plane at {}; change `api` in the configuration \
                 first",
                ours.ascii_serialization()
            ))),
        }
    }
}

/// Maps 404 of the authorization endpoint to Unavailable: no resource of the request is missing, the URL is not one
/// of a control plane.
fn not_found_as_unavailable(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::unavailable(error.to_string()),
        _ => error,
    }
}
