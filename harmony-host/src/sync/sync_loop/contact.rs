//! Since when a control plane and this state know each other: the gateway is in sync only with what it can know.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use provider_api::{CredentialDetails, Error, Provider, Result};

use crate::providers::PrimaryProvider;
use crate::providers::isolate::{credential_details_of, error_chain};
use crate::sync::first_contact::FirstContact;
use crate::sync::sync_loop::SyncLoop;

impl SyncLoop {
    /// Notes that this state is new, before the journal is created. Without that note a later start would take the journal
    /// for one of an earlier version, and what it does not know for known: so nothing is synced before it is written.
    ///
    /// # Errors
    /// The state directory cannot be written.
    pub(super) async fn mark_new(&mut self) -> Result<()> {
        if self.is_new {
            let contacts = self.contacts.clone();
            blocking(move || contacts.mark_new()).await?;
            self.is_new = false;
        }
        Ok(())
    }

    /// Shows since when this state is used, and warns when it is newer than its token.
    pub(super) async fn show_contact(&mut self, provider: &Arc<dyn Provider>) {
        let details = credential_details_of(&**provider).unwrap_or_default();
        let key = contact_key(provider, &details);
        if self.shown_contact.as_ref() == Some(&key) {
            return;
        }
        let (contacts, named, now) = (self.contacts.clone(), key.clone(), self.clock.now());
        match blocking(move || contacts.heard(&named, &details, now)).await {
            Ok(contact) => self.show(provider, key, contact),
            Err(error) => {
                tracing::warn!(error = error_chain(&error), "the first contact cannot be recorded");
            }
        }
    }

    fn show(&mut self, provider: &Arc<dyn Provider>, key: String, contact: FirstContact) {
        let unknown = contact.unknown.then(|| {
            format!(
                "the state of this gateway is newer than its token, so it cannot know which changes were acknowledged \
                 at `{}` before; compare with the control plane, then run `harmony-host sync --accept-fresh`",
                provider.name()
            )
        });
        match &unknown {
            Some(reason) => tracing::warn!(reason, "not known to be in sync"),
            None => tracing::info!(
                provider = %provider.name(),
                "the control plane answers; a change that another gateway with the same id or token takes is not seen here"
            ),
        }
        let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(contact.at));
        self.status.first_contact(at.unwrap_or(SystemTime::UNIX_EPOCH), unknown);
        self.shown_contact = Some(key);
    }

    pub(super) async fn accept_new(&mut self) -> Result<()> {
        let primary = self.followed.clone();
        let PrimaryProvider { provider, .. } =
            primary.ok_or_else(|| Error::invalid("no remote provider is followed"))?;
        let details = credential_details_of(&*provider).unwrap_or_default();
        let key = contact_key(&provider, &details);
        let (contacts, named, now) = (self.contacts.clone(), key.clone(), self.clock.now());
        let contact = blocking(move || contacts.accept(&named, now)).await?;
        tracing::info!(provider = %provider.name(), "the operator accepts what is not known");
        self.show(&provider, key, contact);
        Ok(())
    }
}

/// Runs blocking I/O on the state of this gateway.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let failed = |cause: String| {
        Error::unavailable(format!("the state of this gateway cannot be read or written: {cause}"))
    };
    let done = tokio::task::spawn_blocking(work).await.map_err(|e| failed(e.to_string()))?;
    done.map_err(|e| failed(e.to_string()))
}

/// The key of a first contact: one provider, and one gateway there.
fn contact_key(provider: &Arc<dyn Provider>, details: &CredentialDetails) -> String {
    format!("{}/{}", provider.name(), details.gateway_id.as_deref().unwrap_or_default())
}
