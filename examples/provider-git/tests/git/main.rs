//! Tests with real repositories, and the conformance kit.

mod repository;
mod signed_commits;
mod world;

mod conformance {
    provider_api::conformance!(crate::world::GitSubject);
}
