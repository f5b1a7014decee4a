#![doc = include_str!("../README.md")]

mod catalogue;
mod change;
mod clock;
mod config_source;
mod enrollment;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "lease")]
mod lease;
mod mesh_auth;
mod name;
mod provider;
mod publisher;
mod reference;
mod registry;
mod resolver;
mod resource;
mod retention;
mod secret;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use async_trait::async_trait;
pub use catalogue::{Catalogue, MeshDefinition, MeshKeys};
pub use change::{
    Attachment, Change, ChangeHead, ChangeId, ChangeStatus, DocumentKind, Rejection, RejectionClass,
};
pub use clock::{Clock, SystemClock};
pub use config_source::{Cadence, ConfigSource, Pending};
pub use enrollment::{Enrolled, Enrollment, EnrollmentRequest, MachineCredential, Standing};
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "lease")]
pub use lease::{Fetch, Fetched, Lease, Valid};
pub use mesh_auth::{Claims, Expected, MeshAuth, MeshIdentity, MeshToken, TokenRequest};
pub use name::{InvalidName, ProviderName};
pub use provider::Provider;
pub use publisher::{Publication, Published, Publisher};
pub use reference::{InvalidReference, Reference, ResourceKey, Scope};
pub use registry::{BuildContext, BuildError, ProviderFactory, Registry};
pub use resolver::{Freshness, Resolved, Resolver};
pub use resource::{Mode, Resource, ResourceType};
pub use retention::Retention;
pub use secret::Secret;
/// How a section of a configuration is handed to [`Registry::build`].
pub use toml::de::ValueDeserializer;
