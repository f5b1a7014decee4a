use async_trait::async_trait;

use crate::testkit::Cannot;
use crate::{Reference, ResourceType, Result};

/// What references name.
#[async_trait]
pub trait ResourceWorld: Send + Sync {
    /// Puts a resource there, for providers that are built afterwards. One of the same kind and name is
    /// replaced.
    ///
    /// # Errors
    /// When there can be none like it.
    async fn place(&self, wanted: &Placing) -> Result<Placed, Cannot>;

    /// Whether a provider that was built before sees what is placed now.
    ///
    /// # Errors
    /// When it does not, because it answers from the configuration it was built with.
    fn is_live(&self) -> Result<(), Cannot>;
}

/// A resource to put there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placing {
    /// What it is.
    pub kind: ResourceType,
    /// Its name.
    pub name: String,
    /// Where it can be reached; nothing for kinds that have no URLs.
    pub urls: Vec<String>,
    /// Whether it may be used at all.
    pub enabled: bool,
    /// Whether it is somebody else's, and this gateway may not use it.
    pub private: bool,
}

impl Placing {
    /// An enabled resource that everybody may use.
    pub fn new(kind: ResourceType, name: &str, urls: &[&str]) -> Self {
        let urls = urls.iter().map(|&url| url.to_owned()).collect();
        Self { kind, name: name.to_owned(), urls, enabled: true, private: false }
    }
}

/// A resource that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its id.
    pub id: String,
    /// It in every form of reference that the provider knows; at least one.
    pub references: Vec<Reference>,
}

const _: fn(&dyn ResourceWorld) = |_| {};
