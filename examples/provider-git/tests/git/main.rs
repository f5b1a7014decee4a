//! Real repositories: what is signed is followed, and the contract is kept.

mod following;
mod repository;
mod world;

mod contract {
    provider_api::conformance!(crate::world::GitSubject);
}
