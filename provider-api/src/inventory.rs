//! The resources and meshes that a configuration declares.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use crate::{MeshIdentity, ProviderName, Resource, Secret};

/// The resources and meshes that the configuration of this gateway declares.
///
/// A provider may keep its inventory: a new configuration builds a new provider.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// All resources that a local reference can name. Empty for a provider whose factory
    /// [uses no resources](crate::ProviderFactory::uses_resources).
    pub resources: Resources,
    /// All enabled meshes.
    pub meshes: Vec<MeshDefinition>,
}

/// The resources of an inventory. They are made when they are read first: most configurations change without anybody
/// reading them.
///
/// A list of resources converts into it.
#[derive(Clone)]
pub struct Resources(Arc<LazyLock<Vec<Resource>, Make>>);

type Make = Box<dyn FnOnce() -> Vec<Resource> + Send>;

impl Resources {
    /// Creates resources that `make` returns. It is called at most once, by the thread that reads them first.
    pub fn lazy(make: impl FnOnce() -> Vec<Resource> + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(make))))
    }
}

impl From<Vec<Resource>> for Resources {
    fn from(resources: Vec<Resource>) -> Self {
        Self::lazy(|| resources)
    }
}

impl Default for Resources {
    fn default() -> Self {
        Self::lazy(Vec::new)
    }
}

impl Deref for Resources {
    type Target = [Resource];

    fn deref(&self) -> &[Resource] {
        &self.0
    }
}

impl fmt::Debug for Resources {
    /// Omits the resources: showing them would make them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resources").finish_non_exhaustive()
    }
}

/// A mesh of the configuration.
#[derive(Clone, Debug)]
pub struct MeshDefinition {
    /// The name and the id.
    pub identity: MeshIdentity,
    /// The provider that issues and verifies the tokens of the mesh.
    pub provider: ProviderName,
    /// The keys of a locally managed mesh; `None` for a mesh of a remote provider.
    pub keys: Option<MeshKeys>,
    /// Set for a locally managed mesh whose tokens must have the claim `aud`: those it issues have the destination as
    /// `aud`, and it accepts only tokens whose `aud` is a URL that covers the requested one.
    pub token_audience: bool,
    /// The URL of the key set (JWKS) of a remote provider, if the configuration sets one.
    pub jwks_url: Option<String>,
}

/// The keys of a locally managed mesh.
///
/// The kind of the keys determines the algorithm. The header of a token never does (RFC 8725, section 3.1).
#[derive(Clone, Debug)]
pub enum MeshKeys {
    /// One secret that all members share, for HS256.
    Shared(Secret),
    /// A key pair for RS256, as the content of PEM files: building a provider does no I/O.
    Rsa {
        /// The signing key, required for sending.
        private_pem: Option<Secret>,
        /// The verification key, required for receiving.
        public_pem: Option<Arc<str>>,
    },
}

impl MeshKeys {
    /// The recommended minimum length of a shared secret in bytes, the output size of SHA-256 (RFC 7518,
    /// section 3.2).
    ///
    /// A shorter secret works, since existing gateways have them. But an attacker who captures one token can
    /// guess it offline, so a host warns about it.
    pub const MIN_SHARED_BYTES: usize = 32;
}
