/// One kind of exchange between a provider and its control plane. Troubles are arranged for one of them at a
/// time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exchange {
    /// [`ConfigSource::pending`](crate::ConfigSource::pending)
    Pending,
    /// [`ConfigSource::fetch`](crate::ConfigSource::fetch)
    Fetch,
    /// [`ConfigSource::report`](crate::ConfigSource::report), whatever is reported.
    Report,
    /// [`Resolver::resolve`](crate::Resolver::resolve)
    Resolve,
    /// [`MeshAuth::issue`](crate::MeshAuth::issue)
    Issue,
    /// Getting the keys with which [`MeshAuth::verify`](crate::MeshAuth::verify) judges tokens.
    Keys,
    /// [`Enrollment::enroll`](crate::Enrollment::enroll)
    Enroll,
    /// [`Publisher::publish`](crate::Publisher::publish)
    Publish,
}

impl Exchange {
    /// Every kind.
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
