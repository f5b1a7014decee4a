//! The conformance kit against the provider `runbeam` and the development control plane.

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
