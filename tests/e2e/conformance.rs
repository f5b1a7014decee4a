//! The provider `runbeam` keeps the contract: every check of the kit, against the development control plane.

mod changes;
mod credentials;
mod documents;
mod meshes;
mod resources;
mod retention;
mod trouble;
mod world;

mod runbeam {
    provider_api::conformance!(super::world::RunbeamSubject);
}
