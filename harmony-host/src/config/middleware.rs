//! The sections `[middleware.*]`.

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
    /// The value of `options.required`, `true` unless configured, so that only an explicit `false` admits requests without
    /// a token. Only `mesh_auth` has it.
    pub(crate) required: bool,
}

impl Middleware {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let kind = section.required_text("type", problems);
        let mut required = true;
        if kind.as_ref().is_some_and(|kind| kind.value == "mesh_auth")
            && let Some(options) = section.section("options", problems)
        {
            required = options.flag("required", problems).is_none_or(|flag| flag.value);
        }
        Some(Self { name, place: section.place().clone(), kind: kind?, required })
    }
}
