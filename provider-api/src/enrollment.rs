//! Authorizing the gateway: exchanging the token of a user for a machine credential.

use std::time::SystemTime;

use async_trait::async_trait;

use crate::{Result, Secret};

/// Obtains and stores the machine credential of this gateway.
///
/// The provider stores the credential, sends it to the configured origin only, and uses a renewed one without
/// a restart. A failed call stores nothing and leaves a stored credential in place.
///
/// Both async methods are cancel safe, have a deadline and do not panic, as the
/// [contract](crate::Provider#the-contract) demands.
#[async_trait]
pub trait Enrollment: Send + Sync {
    /// Requests a machine credential from the control plane with the token of a user, and stores it.
    ///
    /// # Errors
    /// * [`Denied`](crate::ErrorKind::Denied): the user may not authorize this gateway, or it is enrolled as another
    ///   one and the request does not [replace](EnrollmentRequest::replace) that.
    /// * [`Invalid`](crate::ErrorKind::Invalid): the control plane does not accept the request.
    /// * [`Unavailable`](crate::ErrorKind::Unavailable): every other failure; a later call may succeed.
    async fn enroll(&self, request: &EnrollmentRequest) -> Result<Enrolled>;

    /// Stores a machine credential that was issued elsewhere, for example by a command line tool.
    ///
    /// Tries it at the configured control plane first, so that one that does not work never replaces one that does.
    ///
    /// # Errors
    /// * [`Invalid`](crate::ErrorKind::Invalid): it is not a credential of this provider, it is for another
    ///   control plane, it has expired, or it is for another gateway than the one that this is enrolled as, and does not
    ///   [replace](MachineCredential::replace) that.
    /// * [`Denied`](crate::ErrorKind::Denied): the control plane refuses it.
    /// * [`Unavailable`](crate::ErrorKind::Unavailable): the credential could not be tried, or not be stored.
    async fn adopt(&self, credential: MachineCredential) -> Result<Enrolled>;

    /// Returns the known state of the credential, without a call to the control plane.
    ///
    /// Takes into account a credential that another provider or process has stored since: a host that waits
    /// after a refusal uses this to see that a new attempt makes sense.
    fn credential_status(&self) -> CredentialStatus;

    /// Returns what is known about the credential that is used and about those that are not, for the status that people
    /// read. Without a call to the control plane, and without any part of a secret.
    fn credential_details(&self) -> CredentialDetails;
}

/// A request of a user to authorize this gateway.
#[derive(Clone, Debug)]
pub struct EnrollmentRequest {
    /// The token that authenticates the user.
    pub user_token: Secret,
    /// The code that identifies, or will identify, this gateway at the control plane.
    pub gateway_code: String,
    /// The public key of a key pair of this machine.
    pub machine_public_key: Option<String>,
    /// Free text that is sent to the control plane.
    pub metadata: Vec<String>,
    /// The key that encrypts the stored credential from now on; `None` for the provider's own key.
    pub storage_key: Option<Secret>,
    /// Set to enroll a gateway that is enrolled as another one. The caller has checked that its operator agrees:
    /// whoever enrolls a gateway decides what configures it.
    pub replace: bool,
}

/// The credential with which a gateway authenticates to its control plane.
#[derive(Clone, Debug)]
pub struct MachineCredential {
    /// The token.
    pub token: Secret,
    /// The moment at which it expires.
    pub expires_at: SystemTime,
    /// The id of this gateway at the control plane.
    pub gateway_id: String,
    /// The code of this gateway, where known.
    pub gateway_code: Option<String>,
    /// The permissions of the token.
    pub abilities: Vec<String>,
    /// The URL of the control plane that issued it. A provider refuses a credential of another origin than
    /// the configured one: otherwise a credential of an attacker could redirect the gateway to another control plane.
    pub control_plane: Option<String>,
    /// The key that encrypts the stored credential from now on; `None` for the provider's own key.
    pub storage_key: Option<Secret>,
    /// Set to adopt the identity of another gateway, as in [`EnrollmentRequest::replace`].
    pub replace: bool,
}

/// The gateway as the control plane has authorized it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The id of this gateway at the control plane.
    pub gateway_id: String,
    /// The code of this gateway, where known.
    pub gateway_code: Option<String>,
    /// The name of this gateway at the control plane, where known.
    pub gateway_name: Option<String>,
    /// The moment at which the credential expires.
    pub expires_at: SystemTime,
}

/// The state of a gateway's credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialStatus {
    /// No credential is stored: the gateway is not authorized yet.
    Missing,
    /// A credential is stored, has not expired, and the control plane has not refused it.
    Valid {
        /// The moment at which it expires; `None` when only the control plane knows.
        expires_at: Option<SystemTime>,
    },
    /// The credential has expired, by the clock the provider was built with.
    Expired {
        /// The moment at which it expired.
        expired_at: SystemTime,
    },
    /// The control plane has refused the credential. Ends with a new credential.
    Refused,
}

/// The known facts about a gateway's credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialDetails {
    /// The place that the credential in use comes from, such as the name of a variable or of a file.
    pub source: Option<String>,
    /// The id of this gateway at the control plane, where known.
    pub gateway_id: Option<String>,
    /// The code of this gateway at the control plane, where known.
    pub gateway_code: Option<String>,
    /// The name of this gateway at the control plane, where known.
    pub gateway_name: Option<String>,
    /// The time at which the credential was issued, where known.
    pub issued_at: Option<SystemTime>,
    /// The fault of a credential that is not used, and its remedy.
    pub problem: Option<String>,
}

const _: fn(&dyn Enrollment) = |_| {};
