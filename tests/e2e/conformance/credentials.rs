//! The conformance kit's view of credentials.

use std::time::SystemTime;

use provider_api::testkit::{Cannot, CredentialWorld};
use provider_api::{EnrollmentRequest, MachineCredential, Result, Secret, async_trait};

use super::world::{GATEWAY, OURS, RunbeamWorld};

impl RunbeamWorld {
    /// Records a secret, which the kit searches for in places where it must not appear.
    fn secret(&self, text: String) -> Secret {
        self.secrets.lock().unwrap().push(text.clone());
        Secret::new(text)
    }
}

#[async_trait]
impl CredentialWorld for RunbeamWorld {
    async fn forget(&self) {
        self.new_machine();
    }

    async fn restart(&self) {
        self.restart_process();
    }

    async fn refuse(&self) -> Result<(), Cannot> {
        self.cloud.revoke(GATEWAY);
        Ok(())
    }

    async fn request(&self) -> EnrollmentRequest {
        EnrollmentRequest {
            user_token: self.secret(self.cloud.sanctum_token(OURS)),
            gateway_code: GATEWAY.to_owned(),
            machine_public_key: None,
            metadata: Vec::new(),
            storage_key: None,
            replace: false,
        }
    }

    fn stranger(&self) -> Secret {
        self.secret(self.cloud.sanctum_token("strangers"))
    }

    async fn credential(&self) -> Result<MachineCredential, Cannot> {
        let token = self.cloud.authorize(OURS, GATEWAY);
        Ok(MachineCredential {
            token: self.secret(token.machine_token),
            expires_at: SystemTime::try_from(token.expires_at).unwrap(),
            gateway_id: token.gateway_id,
            gateway_code: Some(token.gateway_code),
            abilities: token.abilities,
            control_plane: Some(self.cloud.url().to_owned()),
            storage_key: None,
            replace: false,
        })
    }
}
