//! The resources of a world.

use async_trait::async_trait;

use crate::testkit::Cannot;
use crate::{Reference, ResourceType, Result};

/// The resources that the providers of a world resolve.
#[async_trait]
pub trait ResourceWorld: Send + Sync {
    /// Creates a resource, or replaces the one of the same type and name. Affects providers that are built
    /// afterwards.
    ///
    /// # Errors
    /// The reason, when such a resource cannot exist.
    async fn place(&self, wanted: &Placing) -> Result<Placed, Cannot>;

    /// Returns `Ok` when providers that exist already also see new resources.
    ///
    /// # Errors
    /// The reason, when a provider resolves from the configuration with which it was built.
    fn is_live(&self) -> Result<(), Cannot>;
}

/// A resource to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placing {
    /// The type.
    pub kind: ResourceType,
    /// The name.
    pub name: String,
    /// The URLs; empty for types without URLs.
    pub urls: Vec<String>,
    /// False for a resource that is switched off.
    pub enabled: bool,
    /// True for a resource that this gateway may not use.
    pub private: bool,
}

impl Placing {
    /// Creates an enabled resource that this gateway may use.
    pub fn new(kind: ResourceType, name: &str, urls: &[&str]) -> Self {
        let urls = urls.iter().map(|&url| url.to_owned()).collect();
        Self { kind, name: name.to_owned(), urls, enabled: true, private: false }
    }
}

/// A resource that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The id.
    pub id: String,
    /// References to it in all forms that the provider supports. At least one.
    pub references: Vec<Reference>,
}

const _: fn(&dyn ResourceWorld) = |_| {};
