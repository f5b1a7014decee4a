#![doc = include_str!("../README.md")]

mod build_error;
mod change;
mod clock;
mod config_source;
mod duration;
mod enrollment;
mod error;
mod factory;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod inventory;
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
mod settings_profile;
#[cfg(feature = "testkit")]
pub mod testkit;
mod token_fault;
mod url_path;

pub use async_trait::async_trait;
pub use build_error::{BuildError, InvalidSettings};
pub use change::{
    Attachment, Change, ChangeHead, ChangeId, ChangeStatus, DocumentKind, RejectionClass, RejectionReport,
};
pub use clock::{Clock, SystemClock};
pub use config_source::{Cadence, ConfigSource, Pending};
pub use duration::DisplayDuration;
pub use enrollment::{
    CredentialDetails, CredentialStatus, Enrolled, Enrollment, EnrollmentRequest, MachineCredential,
};
pub use error::{Error, ErrorKind, Result};
pub use factory::{BuildContext, ProviderFactory};
pub use inventory::{Inventory, MeshDefinition, MeshKeys, Resources};
#[cfg(feature = "lease")]
pub use lease::{Fetch, Fetched, Lease, PerThread, Shared, Valid};
pub use mesh_auth::{Claims, Expected, MeshAuth, MeshIdentity, MeshToken, TokenRequest};
pub use name::{InvalidName, ProviderName};
pub use provider::Provider;
pub use publisher::{Publication, Published, Publisher};
pub use reference::{InvalidReference, Reference, ResourceKey, Scope};
pub use registry::Registry;
pub use resolver::{Freshness, Resolved, Resolver};
pub use resource::{Mode, Resource, ResourceType};
pub use retention::Retention;
pub use secret::Secret;
pub use settings_profile::{LegacySection, SettingsProfile};
pub use token_fault::TokenFault;
/// The form in which [`Registry::build`] takes a section of a configuration.
pub use toml::de::ValueDeserializer;
pub use url_path::{InvalidPath, UrlPath, covers};
