//! The faults of mesh tokens that are denied.

use std::fmt;

/// The fault for which a mesh token is denied.
///
/// The order is that of the checks: the later a fault is found, the nearer the token is to a valid one. Of several meshes or
/// URLs that a token is checked for, the greatest fault says the most about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TokenFault {
    /// The token is no JWT, or its header or its claims cannot be read.
    Malformed,
    /// The token names a key that is not known.
    Key,
    /// The token is not signed with the algorithm of the key.
    Algorithm,
    /// The signature does not match the key: the two sides have different secrets or keys.
    Signature,
    /// The token has another issuer.
    Issuer,
    /// The token is for another mesh.
    Mesh,
    /// The token does not name its sender.
    Subject,
    /// The token is for another audience or another destination.
    Audience,
    /// The token is from the future: the clocks of the two sides differ.
    NotYetValid,
    /// The token has expired, or the clocks of the two sides differ.
    Expired,
}

impl TokenFault {
    /// Returns the name of the fault, in lower case, such as `not_yet_valid`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Key => "key",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Mesh => "mesh",
            Self::Subject => "subject",
            Self::Audience => "audience",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
