//! Enrolling and adopting of the reference provider.

use std::time::{Duration, UNIX_EPOCH};

use provider_api::testkit::Exchange;
use provider_api::{
    Clock as _, CredentialDetails, CredentialStatus, Enrolled, Enrollment, EnrollmentRequest, Error,
    MachineCredential, Result, Secret, async_trait,
};
use serde_json::json;

use crate::control_plane::ORIGIN;
use crate::mesh_auth::date;
use crate::mutation::Mutation;
use crate::provider::ReferenceProvider;
use crate::source::text;
use crate::store::Credential;

#[async_trait]
impl Enrollment for ReferenceProvider {
    async fn enroll(&self, request: &EnrollmentRequest) -> Result<Enrolled> {
        let inner = &self.0;
        let body = json!({ "code": request.gateway_code });
        if inner.is(Mutation::StoresTooEarly) {
            self.store(
                Secret::new("half-a-credential"),
                "gateway-1",
                UNIX_EPOCH + Duration::from_secs(1 << 33),
            );
        }
        if inner.is(Mutation::ForgetsOnFailure) {
            *inner.factory.disk.lock().unwrap() = None;
        }
        let result = inner.call(Exchange::Enroll, "enroll", Some(&request.user_token), body).await;
        let answer = match result {
            Err(error) if inner.is(Mutation::QuotesUserToken) => {
                return Err(Error::new(
                    error.kind(),
                    format!("the token {} is refused", request.user_token.expose()),
                ));
            }
            other => other?,
        };
        let (token, gateway) = (text(&answer, "token")?, text(&answer, "gateway")?);
        let expires =
            answer["expires"].as_u64().ok_or_else(|| Error::unavailable("the credential has no expiry"))?;
        let expires_at = date(expires).ok_or_else(|| Error::unavailable("the expiry is not a date"))?;
        self.check_identity(gateway, request.replace)?;
        self.store(Secret::new(token), gateway, expires_at);
        let gateway_id = gateway.to_owned();
        Ok(Enrolled { gateway_id, gateway_code: None, gateway_name: None, expires_at })
    }

    async fn adopt(&self, credential: MachineCredential) -> Result<Enrolled> {
        let inner = &self.0;
        let elsewhere = credential.control_plane.as_deref().is_some_and(|origin| origin != ORIGIN);
        if elsewhere && !inner.is(Mutation::AdoptsForeignOrigin) {
            return Err(Error::invalid("the credential is for another control plane"));
        }
        if credential.expires_at <= inner.factory.clock.now() && !inner.is(Mutation::AdoptsExpired) {
            return Err(Error::invalid("the credential has expired"));
        }
        let token = credential.token.expose();
        let is_blank = token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic());
        if (is_blank || credential.gateway_id.is_empty()) && !inner.is(Mutation::AdoptsMalformed) {
            return Err(Error::invalid("the credential is malformed"));
        }
        self.check_identity(&credential.gateway_id, credential.replace)?;
        self.store(credential.token.clone(), &credential.gateway_id, credential.expires_at);
        let (gateway_id, expires_at) = (credential.gateway_id, credential.expires_at);
        Ok(Enrolled { gateway_id, gateway_code: None, gateway_name: None, expires_at })
    }

    fn credential_status(&self) -> CredentialStatus {
        let inner = &self.0;
        if inner.is(Mutation::StatusSendsRequest) {
            inner.factory.control_plane.state().requests += 1;
        }
        let stored = match inner.is(Mutation::StatusFromBuild) {
            true => inner.at_build.clone(),
            false => inner.factory.disk.lock().unwrap().clone(),
        };
        match stored {
            None if inner.is(Mutation::MissingIsRefused) => CredentialStatus::Refused,
            None => CredentialStatus::Missing,
            Some(_) if inner.is(Mutation::ExpiryForgotten) => {
                CredentialStatus::Valid { expires_at: Some(UNIX_EPOCH) }
            }
            Some(stored)
                if stored.expires_at <= inner.factory.clock.now() && !inner.is(Mutation::NeverExpired) =>
            {
                CredentialStatus::Expired { expired_at: stored.expires_at }
            }
            Some(stored) if stored.refused => CredentialStatus::Refused,
            Some(stored) => CredentialStatus::Valid { expires_at: Some(stored.expires_at) },
        }
    }

    fn credential_details(&self) -> CredentialDetails {
        let stored = self.0.factory.disk.lock().unwrap();
        let gateway_id = stored.as_ref().map(|stored| stored.gateway.clone());
        CredentialDetails { gateway_id, ..CredentialDetails::default() }
    }
}

impl ReferenceProvider {
    /// Checks that this gateway is not enrolled as another one than `gateway`.
    fn check_identity(&self, gateway: &str, replace: bool) -> Result<()> {
        let stored = self.0.factory.disk.lock().unwrap();
        match &*stored {
            Some(stored)
                if stored.gateway != gateway && !replace && !self.0.is(Mutation::AdoptsAnotherGateway) =>
            {
                Err(Error::invalid("this gateway is enrolled as another one"))
            }
            _ => Ok(()),
        }
    }

    fn store(&self, token: Secret, gateway: &str, expires_at: std::time::SystemTime) {
        let gateway = match self.0.is(Mutation::CredentialNotStored) {
            true => "lost on restart".to_owned(),
            false => gateway.to_owned(),
        };
        let credential = Credential { token, gateway, expires_at, refused: false };
        *self.0.factory.disk.lock().unwrap() = Some(credential);
    }
}
