//! Enrollment: authorization of the gateway by a user, and adoption of a machine token.

use std::time::SystemTime;

use provider_api::{
    CredentialDetails, CredentialStatus, Enrolled, Enrollment, EnrollmentRequest, Error, ErrorKind,
    MachineCredential, Result, Secret, async_trait,
};
use url::Url;

use crate::api::missing_field;
use crate::call::{Bearer, Call};
use crate::credential::Credential;
use crate::credentials::Identity;
use crate::official;
use crate::purpose::Purpose;
use crate::runbeam::Runbeam;
use crate::wire::{AuthorizeRequest, Authorized, ChangeList};

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
        let replace = credential.replace;
        let enrolled = Enrolled {
            gateway_id: credential.gateway_id.clone(),
            gateway_code: name,
            gateway_name: None,
            expires_at: credential.expires_at,
        };
        let credential = Credential::from(credential).validated()?.with_estimated_issue();
        if credential.is_expired(now) {
            return Err(Error::invalid("the machine token has already expired"));
        }
        // No other caller may enroll this gateway between the checks and the write.
        let _enrolling = self.credentials.enrolling().await;
        self.check_identity(&enrolled.gateway_id, replace, ErrorKind::Invalid).await?;
        self.try_out(&enrolled.gateway_id, &credential.token).await?;
        self.credentials.renew(credential, key, now).await?;
        Ok(enrolled)
    }

    fn credential_status(&self) -> CredentialStatus {
        self.credentials.credential_status(self.context.clock.now())
    }

    fn credential_details(&self) -> CredentialDetails {
        self.credentials.details(self.context.clock.now())
    }
}

impl Runbeam {
    async fn authorize(&self, action: &str, request: &EnrollmentRequest) -> Result<Enrolled> {
        let call = Call {
            action,
            purpose: Purpose::User,
            bearer: Bearer::User(&request.user_token),
            document: false,
        };
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
        let expires_at = SystemTime::try_from(answer.expires_at)
            .map_err(|_| missing_field(action, self.api.address(), "expires_at"))?;
        let credential = Credential {
            token: answer.machine_token,
            expires_at: Some(expires_at),
            gateway_id: Some(gateway.id.clone()),
            gateway_code: gateway.code.clone(),
            gateway_name: gateway.name.clone(),
            abilities: answer.abilities,
            issued_at: None,
            control_plane: None,
        };
        let credential = credential.validated().map_err(|error| {
            Error::unavailable(format!(
                "{action}: the control plane at {} sent an invalid machine token: {error}",
                self.api.address()
            ))
        })?;
        if credential.is_expired(now) {
            return Err(missing_field(action, self.api.address(), "expires_at"));
        }
        let _enrolling = self.credentials.enrolling().await;
        self.check_identity(&gateway.id, request.replace, ErrorKind::Denied).await?;
        self.credentials.renew(credential, request.storage_key.clone(), now).await?;
        Ok(Enrolled {
            gateway_id: gateway.id,
            gateway_code: gateway.code,
            gateway_name: gateway.name,
            expires_at,
        })
    }

    /// Checks that this gateway is not enrolled as another one than `gateway`, unless that is to be replaced. Any
    /// process of this machine can send a token of an account of its own, and a control plane account decides what
    /// configures this gateway. An expired or refused token counts: it still says which gateway this is.
    async fn check_identity(&self, gateway: &str, replace: bool, kind: ErrorKind) -> Result<()> {
        let other = match self.credentials.identity(self.context.clock.now()).await? {
            _ if replace => return Ok(()),
            Identity::Nobody => return Ok(()),
            Identity::Gateway(id) if id == gateway => return Ok(()),
            Identity::Gateway(id) => format!("`{id}`"),
            Identity::Unknown => UNKNOWN.to_owned(),
            // A bare token says which gateway it is for only by what it may see.
            Identity::Bare { token, worked } => match self.list_of(None, &token).await {
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                Err(_) if worked => UNKNOWN.to_owned(),
                // A token that never worked gives this gateway no identity.
                Err(_) => return Ok(()),
                Ok(()) => match self.list_of(Some(gateway), &token).await {
                    Ok(()) => return Ok(()),
                    Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                    Err(_) => "the gateway of the bare token in RUNBEAM_MACHINE_TOKEN".to_owned(),
                },
            },
        };
        Err(Error::new(
            kind,
            format!(
                "this gateway is enrolled as {other}, and the machine token is for `{gateway}`; to \
                 replace it, send `\"replace\": true` and management.token in the header Management-Token"
            ),
        ))
    }

    /// Tries a brought machine token at the control plane. While there is a working token, one that cannot be tried is
    /// not taken. Without one there is nothing to lose, so only one that the control plane refuses is not taken.
    async fn try_out(&self, gateway: &str, token: &Secret) -> Result<()> {
        let works = matches!(self.credential_status(), CredentialStatus::Valid { .. });
        match self.list_of(Some(gateway), token).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Unavailable && !works => {
                tracing::warn!(%error, "the machine token could not be tried; it is stored, since this gateway has no working one");
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => Err(error),
            Err(error) => Err(Error::denied(format!("the machine token does not work: {error}"))),
        }
    }

    /// Lists the changes of a gateway with a token, to see that the two belong together. Without a gateway, shows only that
    /// the token works.
    async fn list_of(&self, gateway: Option<&str>, token: &Secret) -> Result<()> {
        let action = "trying the machine token";
        let call = Call { action, purpose: Purpose::User, bearer: Bearer::User(token), document: false };
        let asked = async {
            let id: Vec<&str> = gateway.into_iter().collect();
            let url = self.api.url(&call, "harmony/changes", &id).await?;
            self.api.get::<ChangeList>(&call, url).await.map(drop)
        };
        self.api.with_deadline(action, asked).await
    }

    /// Checks that a token is for the configured control plane, by any of its names: the official command line sends its
    /// own default. A token of another control plane would be sent to a server that must not see it.
    fn check_origin(&self, given: &str) -> Result<()> {
        let ours = self.api.configured();
        match Url::parse(given.trim()) {
            Ok(given) if official::names(ours, &given) => Ok(()),
            _ => Err(Error::invalid(format!(
                "the machine token is not for the configured control plane at {}; change `api` in the configuration \
                 first",
                ours.origin().ascii_serialization()
            ))),
        }
    }
}

/// The words for a gateway whose id nobody told.
const UNKNOWN: &str = "an unknown gateway, with a bare token that no longer works";

/// Maps 404 of the authorization endpoint to Unavailable: no resource of the request is missing, the URL is not one
/// of a control plane.
fn not_found_as_unavailable(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::unavailable(error.to_string()),
        _ => error,
    }
}
