//! The kinds of exchanges between a provider and its control plane.

/// A kind of exchange (request and response) between a provider and its control plane.
///
/// A check simulates a [`Trouble`](super::Trouble) in one kind of exchange at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exchange {
    /// The exchange of [`ConfigSource::pending`](crate::ConfigSource::pending).
    Pending,
    /// The exchange of [`ConfigSource::fetch`](crate::ConfigSource::fetch).
    Fetch,
    /// The exchange of [`ConfigSource::report`](crate::ConfigSource::report), for every status.
    Report,
    /// The exchange of [`Resolver::resolve`](crate::Resolver::resolve).
    Resolve,
    /// The exchange of [`MeshAuth::issue`](crate::MeshAuth::issue).
    Issue,
    /// The fetch of the keys with which [`MeshAuth::verify`](crate::MeshAuth::verify) verifies tokens.
    Keys,
    /// The exchange of [`Enrollment::enroll`](crate::Enrollment::enroll).
    Enroll,
    /// The exchange of [`Publisher::publish`](crate::Publisher::publish).
    Publish,
}

impl Exchange {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Fetch,
        Self::Report,
        Self::Resolve,
        Self::Issue,
        Self::Keys,
        Self::Enroll,
        Self::Publish,
    ];
}
