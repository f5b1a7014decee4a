use std::sync::Arc;

use crate::{MeshIdentity, ProviderName, Resource, Secret};

/// What the configuration of this gateway declares, as providers need to know it.
///
/// A provider that is built for one configuration may keep it: a new configuration builds a new provider.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Everything that a local reference can name.
    pub resources: Vec<Resource>,
    /// Every enabled mesh.
    pub meshes: Vec<MeshDefinition>,
}

/// A mesh of the configuration.
#[derive(Clone, Debug)]
pub struct MeshDefinition {
    /// Its name and id.
    pub identity: MeshIdentity,
    /// Who issues and verifies its tokens.
    pub provider: ProviderName,
    /// What a locally managed mesh signs and verifies with; `None` for a mesh of a remote provider.
    pub keys: Option<MeshKeys>,
    /// Where the key set of a remote provider is published, when the configuration says so.
    pub jwks_url: Option<String>,
}

/// The keys of a locally managed mesh. They decide the algorithm; a token never does.
#[derive(Clone, Debug)]
pub enum MeshKeys {
    /// One secret shared by all members: HS256.
    Shared(Secret),
    /// A key pair: RS256. PEM, already read: building a provider does no I/O.
    Rsa {
        /// Signs; needed to send.
        private_pem: Option<Secret>,
        /// Verifies; needed to receive.
        public_pem: Option<Arc<str>>,
    },
}

impl MeshKeys {
    /// The fewest bytes a shared secret should have: as many as SHA-256 puts out (RFC 7518, section 3.2).
    ///
    /// A shorter one works, since gateways out there have them, but it can be guessed offline from one
    /// captured token. Whoever reads the configuration warns about it.
    pub const MIN_SHARED_BYTES: usize = 32;
}
