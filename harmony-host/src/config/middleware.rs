//! The sections `[middleware.*]`.

use std::sync::Arc;

use crate::config::keys;
use crate::config::mesh_auth::{MeshAuth, OPTIONS};
use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// `[middleware.<name>]`: a step that requests pass before the backend.
#[derive(Clone, Debug)]
pub(crate) struct Middleware {
    /// The name.
    pub(crate) name: String,
    /// The place of the definition.
    pub(crate) place: Place,
    /// The type.
    pub(crate) kind: Spanned<String>,
    /// The name of an `[authentications.*]`.
    pub(crate) authentication: Option<Spanned<String>>,
    /// The options of the type `mesh_auth`.
    pub(crate) mesh_auth: Option<Arc<MeshAuth>>,
    /// The options that this host does not support, of a type that is its own.
    pub(crate) unserved_options: Vec<&'static str>,
}

impl Middleware {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let kind = section.required_text("type", problems);
        let authentication = section.text("authentication", problems);
        let (mut mesh_auth, mut unserved_options) = (None, Vec::new());
        // The options of other types are for the application to judge.
        if let Some(kind) =
            kind.as_ref().filter(|kind| matches!(kind.value.as_str(), "mesh_auth" | "passthru"))
        {
            let options = section.section("options", problems);
            if let Some(options) = &options {
                unserved_options =
                    keys::unserved_options("middleware.*").filter(|key| options.asks(key)).collect();
            }
            match (kind.value.as_str(), options) {
                ("mesh_auth", Some(options)) => mesh_auth = Some(MeshAuth::read(&options, problems)),
                ("mesh_auth", None) => mesh_auth = Some(MeshAuth::plain(section.key("options"))),
                (_, options) => {
                    options.iter().for_each(|options| reject_mesh_auth_options(options, problems))
                }
            }
        }
        Some(Self {
            name,
            place: section.place().clone(),
            kind: kind?,
            authentication,
            mesh_auth: mesh_auth.map(Arc::new),
            unserved_options,
        })
    }
}

/// Adds an error for each option of `mesh_auth`: it would protect nothing here.
fn reject_mesh_auth_options(options: &Section<'_>, problems: &mut Problems) {
    for key in OPTIONS {
        if let Some(place) = options.place_of(key) {
            let message = "this is an option of `mesh_auth`, and this middleware has another type";
            problems
                .error(Some(&place), options.key(key), message)
                .help("write `type = \"mesh_auth\"`, or delete the option");
        }
    }
}
