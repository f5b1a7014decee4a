use std::time::SystemTime;

use async_trait::async_trait;

use crate::{Result, Secret};

/// Becoming authorized: trading a person's token for a credential of the gateway's own.
///
/// The provider stores the credential, sends it to its configured origin only, and picks up a renewed
/// one without a restart. Cancel safe, bounded by a deadline, and free of panics.
#[async_trait]
pub trait Enrollment: Send + Sync {
    /// Asks the control plane for a machine credential in the name of a user, and stores it.
    ///
    /// # Errors
    /// [`Denied`](crate::ErrorKind::Denied) when the user may not authorize this gateway,
    /// [`Invalid`](crate::ErrorKind::Invalid) when the request cannot be understood,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) otherwise; nothing was stored.
    async fn enroll(&self, request: &EnrollmentRequest) -> Result<Enrolled>;

    /// Stores a machine credential that somebody brings.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when it is no credential of this provider or already expired,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when it could not be stored.
    async fn adopt(&self, credential: MachineCredential) -> Result<Enrolled>;

    /// What is known of the credential now, without asking the control plane. A credential that somebody
    /// else stored since is noticed, so that a host can tell when asking again makes sense.
    fn credential_status(&self) -> CredentialStatus;
}

/// A person's wish to authorize this gateway.
#[derive(Clone, Debug)]
pub struct EnrollmentRequest {
    /// What proves who the person is.
    pub user_token: Secret,
    /// The code under which the control plane knows, or will know, this gateway.
    pub gateway_code: String,
    /// The public half of a key pair of this machine.
    pub machine_public_key: Option<String>,
    /// Free text that goes along.
    pub metadata: Vec<String>,
    /// The key the credential is to be stored under from now on; the provider's own when absent.
    pub storage_key: Option<Secret>,
}

/// A gateway's own credential.
#[derive(Clone, Debug)]
pub struct MachineCredential {
    /// The token.
    pub token: Secret,
    /// When it stops being valid.
    pub expires_at: SystemTime,
    /// The control plane's identifier of this gateway.
    pub gateway_id: String,
    /// The code of this gateway, where known.
    pub gateway_code: Option<String>,
    /// What the token permits.
    pub abilities: Vec<String>,
    /// The control plane it says it is for. A provider refuses a credential of another origin than the
    /// configured one: whoever brings it must not lead the gateway elsewhere.
    pub control_plane: Option<String>,
    /// The key it is to be stored under from now on; the provider's own when absent.
    pub storage_key: Option<Secret>,
}

/// What the control plane says of a gateway it authorized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The control plane's identifier of this gateway.
    pub gateway_id: String,
    /// Its code.
    pub gateway_code: Option<String>,
    /// Its name there.
    pub gateway_name: Option<String>,
    /// When the credential ends.
    pub expires_at: SystemTime,
}

/// The state of a gateway's credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialStatus {
    /// There is none.
    Missing,
    /// There is one, and nobody has refused it.
    Valid {
        /// When it ends.
        expires_at: SystemTime,
    },
    /// Its time is over.
    Expired {
        /// When it ended.
        expired_at: SystemTime,
    },
    /// The control plane refused it.
    Refused,
}

const _: fn(&dyn Enrollment) = |_| {};
