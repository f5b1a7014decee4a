//! The conformance kit: with it an author proves that a provider keeps the contract, without our repository.
//!
//! Write a [`Subject`] that makes worlds, and a [`World`] that holds your factory and a control plane for it
//! that can be told to misbehave. Then one line makes a test of every check:
//!
//! ```text
//! provider_api::conformance!(MySubject);
//! ```
//!
//! or [`run`] them all and print the table. What your world cannot do, and what your provider has no ability
//! for, is listed as skipped, with your reason; it never counts as passed.
//!
//! A good order to write a world in: `build` and one ability, with [`Cannot`] for the rest; then
//! [`trouble`](World::trouble), after which most of the table fills; then what is left among the skipped ones. Every
//! check makes a world of its own, so a world has to be cheap, and nothing of one may be seen in another.
//!
//! What a control plane is made of is here: [`StandIn`], an HTTP server on the loopback that answers with your
//! function and knows every [`Trouble`]; [`TurnedClock`]; [`Canary`], a secret that is looked for where it must not
//! be; [`SigningKey`] and [`Jwt`] for tokens, good and forged.
//!
//! A provider of one resource, and its whole proof:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use provider_api::testkit::*;
//! use provider_api::*;
//!
//! #[derive(Debug)]
//! struct Fixed(ProviderName);
//!
//! impl Provider for Fixed {
//!     fn name(&self) -> &ProviderName { &self.0 }
//!     fn source(&self) -> Option<&dyn ConfigSource> { None }
//!     fn resolver(&self) -> Option<&dyn Resolver> { Some(self) }
//!     fn mesh_auth(&self) -> Option<&dyn MeshAuth> { None }
//!     fn enrollment(&self) -> Option<&dyn Enrollment> { None }
//!     fn publisher(&self) -> Option<&dyn Publisher> { None }
//!     fn retention(&self) -> Option<&dyn Retention> { None }
//! }
//!
//! #[async_trait]
//! impl Resolver for Fixed {
//!     async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
//!         if reference.provider() != &self.0 || *reference.key() != ResourceKey::Id("1".to_owned()) {
//!             return Err(Error::not_found(format!("{reference} is not known here")));
//!         }
//!         let resource = Resource::new(ResourceType::Mesh, "1", "fixed");
//!         Ok(Resolved { resource, fresh: Freshness::UntilReload })
//!     }
//! }
//!
//! struct FixedSubject;
//!
//! #[async_trait]
//! impl Subject for FixedSubject {
//!     async fn world(&self) -> Arc<dyn World> { Arc::new(FixedWorld(TurnedClock::new())) }
//! }
//!
//! struct FixedWorld(TurnedClock);
//!
//! #[async_trait]
//! impl World for FixedWorld {
//!     fn names(&self) -> Vec<ProviderName> { ["fixed", "other"].map(|name| name.parse().unwrap()).into() }
//!     fn build(&self, name: &ProviderName) -> Result<Arc<dyn Provider>> { Ok(Arc::new(Fixed(name.clone()))) }
//!     fn bad_settings(&self) -> Vec<(String, Result<Arc<dyn Provider>>)> { Vec::new() }
//!     fn clock(&self) -> &TurnedClock { &self.0 }
//!     async fn pass(&self, time: Duration) { self.0.turn(time) }
//!     fn patience(&self) -> Duration { Duration::from_secs(1) }
//!     fn canaries(&self) -> Vec<Canary> { Vec::new() }
//!     async fn trouble(&self, _: Exchange, _: &Trouble) -> Result<(), Cannot> {
//!         Err(Cannot::because("it asks nobody"))
//!     }
//!     async fn calm(&self) {}
//!     fn asked(&self) -> Result<usize, Cannot> { Ok(0) }
//!     fn changes(&self) -> Result<&dyn ChangeWorld, Cannot> { Err(Cannot::because("it has no changes")) }
//!     fn resources(&self) -> Result<&dyn ResourceWorld, Cannot> { Ok(self) }
//!     fn meshes(&self) -> Result<&dyn MeshWorld, Cannot> { Err(Cannot::because("it has no meshes")) }
//!     fn credentials(&self) -> Result<&dyn CredentialWorld, Cannot> { Err(Cannot::because("it needs none")) }
//!     fn documents(&self) -> Result<&dyn DocumentWorld, Cannot> { Err(Cannot::because("it takes none")) }
//!     fn retention(&self) -> Result<&dyn RetentionWorld, Cannot> { Err(Cannot::because("it learns nothing")) }
//! }
//!
//! #[async_trait]
//! impl ResourceWorld for FixedWorld {
//!     async fn place(&self, wanted: &Placing) -> Result<Placed, Cannot> {
//!         if wanted.kind != ResourceType::Mesh {
//!             return Err(Cannot::because("there is one resource, and it is a mesh"));
//!         }
//!         Ok(Placed { id: "1".to_owned(), references: vec!["fixed.id.1".parse().unwrap()] })
//!     }
//!     fn is_live(&self) -> Result<(), Cannot> { Err(Cannot::because("nothing ever changes")) }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let report = run(&FixedSubject).await;
//! println!("{report}");
//! assert!(report.failed().is_empty(), "{report}");
//! # });
//! ```

mod canary;
mod cannot;
mod caught;
mod checks;
mod clock;
mod conformance;
mod context;
mod exchange;
mod jwt;
mod list;
mod polls;
mod question;
mod report;
mod run;
mod signing_key;
mod stage;
mod stand_in;
mod trouble;
mod verdict;
mod world;

pub use canary::{Canary, seen_in_debug, seen_in_error};
pub use cannot::Cannot;
pub use clock::{TurnedClock, time_passes};
pub use context::context;
pub use exchange::Exchange;
pub use jwt::Jwt;
pub use list::{Check, checks};
pub use polls::at_most;
pub use report::{Line, Report};
pub use run::{demand, run, run_only};
pub use signing_key::SigningKey;
pub use stand_in::{Answer, Asked, StandIn};
pub use trouble::Trouble;
pub use verdict::Outcome;
pub use world::{
    ChangeWorld, CredentialWorld, DocumentWorld, Heard, MeshWorld, Placed, Placing, ResourceWorld,
    RetentionWorld, Subject, World,
};

#[doc(hidden)]
pub use tokio as __tokio;
