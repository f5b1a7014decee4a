use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// `[middleware.<name>]`: something requests pass on their way.
#[derive(Clone, Debug)]
pub(crate) struct Middleware {
    /// Its name.
    pub(crate) name: String,
    /// Where it was written.
    pub(crate) place: Place,
    /// What it does.
    pub(crate) kind: Spanned<String>,
    /// `options.required`, of `mesh_auth`.
    pub(crate) required: bool,
}

impl Middleware {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Option<Self> {
        let kind = section.required_text("type", problems);
        let mut required = false;
        if kind.as_ref().is_some_and(|kind| kind.value == "mesh_auth")
            && let Some(options) = section.section("options", problems)
        {
            required = options.flag("required", problems).is_some_and(|flag| flag.value);
            options.finish(problems);
        }
        let middleware = Self { name, place: section.place().clone(), kind: kind?, required };
        section.finish(problems);
        Some(middleware)
    }
}
