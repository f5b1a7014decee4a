//! The conformance kit: tests that a provider keeps the contract, for authors outside of this repository.
//!
//! Implement two traits: a [`Subject`] creates worlds, and a [`World`] contains your factory and a control
//! plane that can simulate faults. Then one line generates a test for every check:
//!
//! ```text
//! provider_api::conformance!(MySubject);
//! ```
//!
//! Or [`run`] all checks and print the table. A check is skipped when your world cannot arrange its
//! situation, or your provider does not have the ability. The table shows skipped checks with your reason,
//! and never counts them as passed.
//!
//! Implement a world in this order:
//!
//! 1. `build` and the world of one ability; return [`Cannot`] from the other methods.
//! 2. [`trouble`](World::trouble), which most checks need.
//! 3. Whatever the skipped checks still lack.
//!
//! Every check creates a world of its own. So a world must be cheap, and two worlds must not share state.
//!
//! The kit contains the parts of a simulated control plane:
//!
//! * [`StandIn`], an HTTP server on the loopback interface that calls your function and simulates every
//!   [`Trouble`];
//! * [`TurnedClock`], a wall clock that a test can turn ahead;
//! * [`Canary`], a secret that the checks look for in output;
//! * [`SigningKey`] and [`Jwt`], for valid and forged tokens.
//!
//! A provider with one resource, and its complete conformance test:
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
//!         Err(Cannot::because("the provider has no control plane"))
//!     }
//!     async fn calm(&self) {}
//!     fn asked(&self) -> Result<usize, Cannot> { Ok(0) }
//!     fn changes(&self) -> Result<&dyn ChangeWorld, Cannot> { Err(Cannot::because("no changes")) }
//!     fn resources(&self) -> Result<&dyn ResourceWorld, Cannot> { Ok(self) }
//!     fn meshes(&self) -> Result<&dyn MeshWorld, Cannot> { Err(Cannot::because("no meshes")) }
//!     fn credentials(&self) -> Result<&dyn CredentialWorld, Cannot> { Err(Cannot::because("no credential")) }
//!     fn documents(&self) -> Result<&dyn DocumentWorld, Cannot> { Err(Cannot::because("no publishing")) }
//!     fn retention(&self) -> Result<&dyn RetentionWorld, Cannot> { Err(Cannot::because("no saved state")) }
//! }
//!
//! #[async_trait]
//! impl ResourceWorld for FixedWorld {
//!     async fn place(&self, wanted: &Placing) -> Result<Placed, Cannot> {
//!         if wanted.kind != ResourceType::Mesh {
//!             return Err(Cannot::because("the only resource is a mesh"));
//!         }
//!         Ok(Placed { id: "1".to_owned(), references: vec!["fixed.id.1".parse().unwrap()] })
//!     }
//!     fn is_live(&self) -> Result<(), Cannot> { Err(Cannot::because("the resource never changes")) }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let report = run(&FixedSubject).await;
//! println!("{report}");
//! assert!(report.failed().is_empty(), "{report}");
//! # });
//! ```

mod call;
mod canary;
mod cannot;
mod catch_panic;
mod checks;
mod clock;
mod conformance;
mod context;
mod exchange;
mod fixture;
mod jwt;
mod list;
mod outcome;
mod polls;
mod report;
mod run;
mod signing_key;
mod stand_in;
mod trouble;
mod world;

pub use canary::{Canary, seen_in_debug, seen_in_error};
pub use cannot::Cannot;
pub use clock::{TurnedClock, time_passes};
pub use context::context;
pub use exchange::Exchange;
pub use jwt::Jwt;
pub use list::{Check, checks};
pub use outcome::Outcome;
pub use polls::at_most;
pub use report::{Line, Report};
pub use run::{demand, run, run_only};
pub use signing_key::SigningKey;
pub use stand_in::{Answer, Asked, StandIn};
pub use trouble::Trouble;
pub use world::{
    ChangeWorld, CredentialWorld, DocumentWorld, Heard, MeshWorld, Placed, Placing, ResourceWorld,
    RetentionWorld, Subject, World,
};

#[doc(hidden)]
pub use tokio as __tokio;
