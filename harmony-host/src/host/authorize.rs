//! Authorizing the gateway at its primary provider.

use std::sync::Arc;

use provider_api::{Enrolled, Enrollment, EnrollmentRequest, Error, MachineCredential, Provider, Result};

use crate::audit::{Actor, Event};
use crate::host::control::Control;
use crate::host::provider_section;
use crate::providers::isolate::isolated;
use crate::snapshot::Snapshot;
use crate::sync::SyncCommand;

/// An authorization that was stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Authorized {
    /// The gateway, as the control plane knows it.
    pub enrolled: Enrolled,
    /// The reason why the missing `[provider.<name>]` could not be written to config.toml.
    pub section_error: Option<String>,
}

impl Control {
    /// Exchanges the token of a user for a machine credential, stores it, and syncs.
    ///
    /// # Errors
    /// The error of the provider; Denied when the primary provider is `local` or needs no authorization.
    pub(crate) async fn authorize(&self, request: &EnrollmentRequest, by: &Actor) -> Result<Authorized> {
        let snapshot = self.snapshot();
        let (provider, enrollment) = enrollment(&snapshot)?;
        let enrolled = isolated(enrollment.enroll(request)).await;
        self.recorded_enrollment(Event::new("authorize").by(by), request.replace, &enrolled).await;
        Ok(self.authorized(&snapshot, provider, enrolled?, by).await)
    }

    /// Stores a machine credential that was issued elsewhere, and syncs.
    ///
    /// # Errors
    /// As [`authorize`](Self::authorize).
    pub(crate) async fn adopt(&self, credential: MachineCredential, by: &Actor) -> Result<Authorized> {
        let snapshot = self.snapshot();
        let (provider, enrollment) = enrollment(&snapshot)?;
        let replaces = credential.replace;
        let enrolled = isolated(enrollment.adopt(credential)).await;
        self.recorded_enrollment(Event::new("token").by(by), replaces, &enrolled).await;
        Ok(self.authorized(&snapshot, provider, enrolled?, by).await)
    }

    /// Records that a machine credential was stored, or why it was not.
    async fn recorded_enrollment(&self, event: Event, replaces: bool, enrolled: &Result<Enrolled>) {
        let event = if replaces { event.text("mode", "replace") } else { event };
        let event = match enrolled {
            Ok(enrolled) => event.text("gateway", &enrolled.gateway_id),
            Err(_) => event,
        };
        self.recorded_result(event, enrolled).await;
    }

    async fn authorized(
        &self,
        snapshot: &Arc<Snapshot>,
        provider: &Arc<dyn Provider>,
        enrolled: Enrolled,
        by: &Actor,
    ) -> Authorized {
        tracing::info!(gateway = enrolled.gateway_id, provider = %provider.name(), "this gateway is authorized");
        // Another credential may be of another team.
        self.snapshot().plans.forget_credential();
        let mut section_error = None;
        let missing = match provider_section::missing(snapshot) {
            Some(edit) => self.edit_config(edit, by).await,
            None => Ok(None),
        };
        if let Err(error) = missing {
            tracing::warn!(%error, "the section of the provider could not be written into config.toml");
            section_error = Some(error.to_string());
        }
        let _ = self.sync.send(SyncCommand::Authorized).await;
        Authorized { enrolled, section_error }
    }
}

/// Returns the primary provider and its enrollment, if it requires authorization.
fn enrollment(snapshot: &Snapshot) -> Result<(&Arc<dyn Provider>, &dyn Enrollment)> {
    let name = snapshot.providers.primary_name();
    let primary = snapshot.providers.primary().filter(|_| !name.is_local());
    let provider = primary.ok_or_else(|| Error::denied("the primary provider is `local`"))?;
    let enrollment = provider.enrollment();
    let enrollment =
        enrollment.ok_or_else(|| Error::denied(format!("the provider `{name}` needs no authorization")))?;
    Ok((provider, enrollment))
}
