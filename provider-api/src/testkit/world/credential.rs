//! The users and credentials of a world.

use async_trait::async_trait;

use crate::testkit::Cannot;
use crate::{EnrollmentRequest, MachineCredential, Result, Secret};

/// The users who authorize the gateway, and its credential.
#[async_trait]
pub trait CredentialWorld: Send + Sync {
    /// Deletes the credential of the gateway, as on a new machine. Affects providers that are built
    /// afterwards.
    async fn forget(&self);

    /// Simulates a restart of the process: replaces the factory by a new one that sees only stored state.
    async fn restart(&self);

    /// Makes the control plane refuse the current credential of the gateway.
    ///
    /// # Errors
    /// The reason, when the control plane cannot do that.
    async fn refuse(&self) -> Result<(), Cannot>;

    /// Returns a request of a user who may authorize this gateway.
    async fn request(&self) -> EnrollmentRequest;

    /// Returns the token of a user who may not authorize this gateway.
    fn stranger(&self) -> Secret;

    /// Returns a valid credential of this gateway, with its origin, for [`adopt`](crate::Enrollment::adopt).
    ///
    /// # Errors
    /// The reason, when credentials cannot be issued elsewhere.
    async fn credential(&self) -> Result<MachineCredential, Cannot>;
}

const _: fn(&dyn CredentialWorld) = |_| {};
