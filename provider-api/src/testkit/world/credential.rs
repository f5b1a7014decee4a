use async_trait::async_trait;

use crate::testkit::Cannot;
use crate::{EnrollmentRequest, MachineCredential, Result, Secret};

/// Who may authorize the gateway, and what becomes of its credential.
#[async_trait]
pub trait CredentialWorld: Send + Sync {
    /// The gateway has no credential any more, as on a new machine. For providers that are built afterwards.
    async fn forget(&self);

    /// The process starts again: the next factory is a new one, with what was stored.
    async fn restart(&self);

    /// The control plane refuses the credential that the gateway has, until it is given another.
    ///
    /// # Errors
    /// When it cannot do that.
    async fn refuse(&self) -> Result<(), Cannot>;

    /// The wish of somebody who may authorize this gateway.
    async fn request(&self) -> EnrollmentRequest;

    /// The token of somebody who may not.
    fn stranger(&self) -> Secret;

    /// A good credential of this gateway, with the origin it is for, as somebody could bring it.
    ///
    /// # Errors
    /// When nobody could.
    async fn credential(&self) -> Result<MachineCredential, Cannot>;
}

const _: fn(&dyn CredentialWorld) = |_| {};
