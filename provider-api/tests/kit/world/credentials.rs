//! The users and credentials of the reference world.

use std::sync::Arc;
use std::time::Duration;

use provider_api::testkit::{Cannot, CredentialWorld};
use provider_api::{Clock as _, EnrollmentRequest, MachineCredential, Result, Secret, async_trait};

use super::ReferenceWorld;
use crate::control_plane::{ORIGIN, STRANGER, USER};

#[async_trait]
impl CredentialWorld for ReferenceWorld {
    async fn forget(&self) {
        *self.disk.lock().unwrap() = None;
    }

    async fn restart(&self) {
        let mut disk = self.disk.lock().unwrap();
        // A mutant marks a credential that it does not really store.
        if disk.as_ref().is_some_and(|credential| credential.gateway == "lost on restart") {
            *disk = None;
        }
        let mut factory = self.factory.lock().unwrap();
        factory.keys = Arc::default();
        factory.shared = Arc::default();
    }

    async fn refuse(&self) -> Result<(), Cannot> {
        self.control_plane.state().machines.clear();
        Ok(())
    }

    async fn request(&self) -> EnrollmentRequest {
        EnrollmentRequest {
            user_token: Secret::new(USER),
            gateway_code: "kit".to_owned(),
            machine_public_key: None,
            metadata: Vec::new(),
            storage_key: None,
            replace: false,
        }
    }

    fn stranger(&self) -> Secret {
        Secret::new(STRANGER)
    }

    async fn credential(&self) -> Result<MachineCredential, Cannot> {
        Ok(MachineCredential {
            token: Secret::new(self.control_plane.state().new_machine()),
            expires_at: self.clock.now() + Duration::from_secs(86_400),
            gateway_id: "gateway-1".to_owned(),
            gateway_code: None,
            abilities: Vec::new(),
            control_plane: Some(ORIGIN.to_owned()),
            storage_key: None,
            replace: false,
        })
    }
}
