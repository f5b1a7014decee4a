use std::time::SystemTime;

use provider_api::{
    CredentialStatus, Enrolled, Enrollment, EnrollmentRequest, Error, ErrorKind, MachineCredential, Result,
    async_trait,
};
use url::Url;

use crate::call::{Bearer, Call};
use crate::credential::Credential;
use crate::runbeam::{Runbeam, blank};
use crate::status::Asking;
use crate::wire::{AuthorizeRequest, Authorized};

#[async_trait]
impl Enrollment for Runbeam {
    async fn enroll(&self, request: &EnrollmentRequest) -> Result<Enrolled> {
        let what = "authorizing this gateway";
        self.api.bounded(what, self.authorize(what, request)).await
    }

    async fn adopt(&self, credential: MachineCredential) -> Result<Enrolled> {
        if let Some(given) = &credential.control_plane {
            self.check_origin(given)?;
        }
        let now = self.context.clock.now();
        let (name, key) = (credential.gateway_code.clone(), credential.storage_key.clone());
        let credential = Credential::from(credential).checked()?;
        if credential.is_expired(now) {
            return Err(Error::invalid("the machine token has ended already"));
        }
        // Whoever brings a token needs no proof; it must not make this gateway another one.
        let current =
            self.credentials.current(now).await.ok().filter(|_| {
                matches!(self.credentials.credential_status(now), CredentialStatus::Valid { .. })
            });
        if current.is_some_and(|current| current.gateway_id != credential.gateway_id) {
            return Err(Error::invalid(
                "the machine token is for another gateway than this one is authorized as; authorize it as a user instead",
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
    async fn authorize(&self, what: &str, request: &EnrollmentRequest) -> Result<Enrolled> {
        let call = Call { what, asking: Asking::AsPerson, bearer: Bearer::Person(&request.user_token) };
        let asked = AuthorizeRequest {
            token: request.user_token.expose(),
            gateway_code: &request.gateway_code,
            machine_public_key: request.machine_public_key.as_deref(),
            metadata: &request.metadata,
        };
        let answer: Result<Authorized> = self.api.post(&call, "harmony/authorize", &asked).await;
        let answer = answer.map_err(no_such_place)?;
        let now = self.context.clock.now();
        let gateway = answer.gateway;
        let credential = Credential {
            token: answer.machine_token,
            expires_at: SystemTime::try_from(answer.expires_at).map_err(|_| blank(what, "expires_at"))?,
            gateway_id: gateway.id.clone(),
            gateway_code: gateway.code.clone(),
            abilities: answer.abilities,
            control_plane: None,
        };
        let credential = credential.checked().map_err(|wrong| {
            Error::unavailable(format!("{what}: the control plane sent no machine token: {wrong}"))
        })?;
        if credential.is_expired(now) {
            return Err(blank(what, "expires_at"));
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

    /// A token for another control plane would lead this gateway there.
    fn check_origin(&self, given: &str) -> Result<()> {
        let ours = self.api.configured().origin();
        match Url::parse(given.trim()) {
            Ok(given) if given.origin() == ours => Ok(()),
            _ => Err(Error::invalid(format!(
                "the machine token is for another control plane than the configured one at {}; change `api` in the \
                 configuration first",
                ours.ascii_serialization()
            ))),
        }
    }
}

/// Where nobody can be authorized, nothing is missing that was asked for: the control plane is not there.
fn no_such_place(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::unavailable(error.to_string()),
        _ => error,
    }
}
