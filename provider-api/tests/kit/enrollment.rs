use std::time::{Duration, UNIX_EPOCH};

use provider_api::testkit::Exchange;
use provider_api::{
    Clock as _, CredentialStatus, Enrolled, Enrollment, EnrollmentRequest, Error, MachineCredential, Result,
    Secret, async_trait,
};
use serde_json::json;

use crate::cloud::ORIGIN;
use crate::fellow::Fellow;
use crate::mesh_auth::date;
use crate::mutation::Mutation;
use crate::source::text;
use crate::store::Credential;

#[async_trait]
impl Enrollment for Fellow {
    async fn enroll(&self, request: &EnrollmentRequest) -> Result<Enrolled> {
        let this = &self.0;
        let ask = json!({ "code": request.gateway_code });
        if this.is(Mutation::StoresTooEarly) {
            self.store(
                Secret::new("half-a-credential"),
                "gateway-1",
                UNIX_EPOCH + Duration::from_secs(1 << 33),
            );
        }
        if this.is(Mutation::ForgetsOnFailure) {
            *this.factory.disk.lock().unwrap() = None;
        }
        let told = this.call(Exchange::Enroll, "enroll", Some(&request.user_token), ask).await;
        let answer = match told {
            Err(error) if this.is(Mutation::QuotesThePerson) => {
                return Err(Error::new(error.kind(), format!("not with {}", request.user_token.expose())));
            }
            other => other?,
        };
        let (token, gateway) = (text(&answer, "token")?, text(&answer, "gateway")?);
        let expires = answer["expires"].as_u64().ok_or_else(|| Error::unavailable("it has no end"))?;
        let expires_at = date(expires).ok_or_else(|| Error::unavailable("its end is no date"))?;
        self.store(Secret::new(token), gateway, expires_at);
        let gateway_id = gateway.to_owned();
        Ok(Enrolled { gateway_id, gateway_code: None, gateway_name: None, expires_at })
    }

    async fn adopt(&self, credential: MachineCredential) -> Result<Enrolled> {
        let this = &self.0;
        let elsewhere = credential.control_plane.as_deref().is_some_and(|origin| origin != ORIGIN);
        if elsewhere && !this.is(Mutation::AdoptsForeign) {
            return Err(Error::invalid("it is for another control plane"));
        }
        if credential.expires_at <= this.factory.clock.now() && !this.is(Mutation::AdoptsExpired) {
            return Err(Error::invalid("it has ended"));
        }
        let token = credential.token.expose();
        let is_blank = token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic());
        if (is_blank || credential.gateway_id.is_empty()) && !this.is(Mutation::AdoptsAnything) {
            return Err(Error::invalid("it is no credential"));
        }
        self.store(credential.token.clone(), &credential.gateway_id, credential.expires_at);
        let (gateway_id, expires_at) = (credential.gateway_id, credential.expires_at);
        Ok(Enrolled { gateway_id, gateway_code: None, gateway_name: None, expires_at })
    }

    fn credential_status(&self) -> CredentialStatus {
        let this = &self.0;
        if this.is(Mutation::StandingAsks) {
            this.factory.cloud.state().asked += 1;
        }
        let stored = match this.is(Mutation::StandingOfBuild) {
            true => this.at_build.clone(),
            false => this.factory.disk.lock().unwrap().clone(),
        };
        match stored {
            None if this.is(Mutation::MissingIsRefused) => CredentialStatus::Refused,
            None => CredentialStatus::Missing,
            Some(_) if this.is(Mutation::EndIsForgotten) => {
                CredentialStatus::Valid { expires_at: UNIX_EPOCH }
            }
            Some(stored)
                if stored.expires_at <= this.factory.clock.now() && !this.is(Mutation::NeverExpired) =>
            {
                CredentialStatus::Expired { expired_at: stored.expires_at }
            }
            Some(stored) if stored.refused => CredentialStatus::Refused,
            Some(stored) => CredentialStatus::Valid { expires_at: stored.expires_at },
        }
    }
}

impl Fellow {
    fn store(&self, token: Secret, gateway: &str, expires_at: std::time::SystemTime) {
        let gateway = match self.0.is(Mutation::NotKept) {
            true => "lost on restart".to_owned(),
            false => gateway.to_owned(),
        };
        let credential = Credential { token, gateway, expires_at, refused: false };
        *self.0.factory.disk.lock().unwrap() = Some(credential);
    }
}
