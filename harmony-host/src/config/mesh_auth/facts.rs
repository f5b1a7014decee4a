//! The check that the options of a `mesh_auth` say what its mesh says.

use std::path::Path;

use crate::config::Mesh;
use crate::config::mesh_auth::{Direction, MeshAuth};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Spanned;

/// Adds an error for each option that contradicts the mesh. The gateway uses the values of the mesh: one that differs
/// would be ignored. Paths are relative to `root`.
pub(super) fn check(auth: &MeshAuth, mesh: &Mesh, root: &Path, problems: &mut Problems) {
    let name = &mesh.name;
    if let (Some(at), Some(theirs)) = (&auth.provider, &mesh.provider)
        && at.value.trim() != theirs.value.trim()
    {
        let message = format!("the provider of the mesh `{name}` is `{}`", theirs.value.escape_debug());
        problems
            .error(Some(&at.place), auth.key("provider"), message)
            .help("write that one, or delete the key");
    }
    if let Some(at) = &auth.jwt_secret {
        let message = match &mesh.jwt_secret {
            Some(theirs) if theirs.value.expose() == at.value.expose() => None,
            Some(theirs) => Some(format!("the mesh `{name}` has another secret, at {}", theirs.place)),
            None => Some(format!("the mesh `{name}` has no `jwt_secret`")),
        };
        if let Some(message) = message {
            problems
                .error(Some(&at.place), auth.key("jwt_secret"), message)
                .help("delete the key: the keys of the mesh are used");
        }
    }
    if let Some(at) = &auth.jwt_key_path {
        let (key, theirs) = key_file(auth, mesh);
        let message = match theirs {
            _ if mesh.jwt_secret.is_some() => Some(format!("the mesh `{name}` uses its `jwt_secret`")),
            // A path compares its components, so that `./keys/a.pem` is `keys/a.pem`.
            Some(theirs) if root.join(&theirs.value) == root.join(&at.value) => None,
            Some(theirs) => {
                Some(format!("the `{key}` of the mesh `{name}` is another file, at {}", theirs.place))
            }
            None => Some(format!("the mesh `{name}` has no `{key}`")),
        };
        if let Some(message) = message {
            problems
                .error(Some(&at.place), auth.key("jwt_key_path"), message)
                .help("delete the key: the keys of the mesh are used");
        }
    }
}

/// Adds a warning if the mesh that `auth` chooses has no key for its side: every request is then refused.
pub(super) fn check_keys(auth: &MeshAuth, mesh: &Mesh, problems: &mut Problems) {
    let is_local = mesh.provider.as_ref().is_some_and(|at| at.value == "local");
    let (key, file) = key_file(auth, mesh);
    if is_local && mesh.jwt_secret.is_none() && file.is_none() {
        let place = auth.mesh_name.as_ref().or(auth.mesh_id.as_ref()).map(|at| &at.place);
        let message = format!("the mesh `{}` has no `{key}`, so no request has a valid token", mesh.name);
        problems.warn(place, &auth.path, message).help("add it to the mesh");
    }
}

/// Returns the key of the mesh that names the key file for the side, and the file.
fn key_file<'m>(auth: &MeshAuth, mesh: &'m Mesh) -> (&'static str, &'m Option<Spanned<String>>) {
    match auth.direction {
        Direction::Ingress => ("jwt_public_key_path", &mesh.jwt_public_key_path),
        Direction::Egress => ("jwt_private_key_path", &mesh.jwt_private_key_path),
    }
}
