//! The purpose of a request, which decides the meaning of an error status.

/// The purpose of a request to the control plane.
///
/// The same status means different things: a 403 for one resource denies that resource, a 403 for the list of
/// changes refuses the credential of the gateway, so nothing can be requested until it is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A resource with an owner: 403 is about the resource.
    Resource,
    /// A mesh token: as [`Purpose::Resource`], and a disabled mesh is a denial.
    MeshToken,
    /// The gateway itself, such as its list of changes: 403 is about the credential.
    Gateway,
    /// A request with the token of a user: 401 and 403 are about the user.
    User,
    /// A public resource. Access to it cannot be denied, so every failure but 404 is a fault of the server.
    Public,
}
