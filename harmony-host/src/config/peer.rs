//! The sections `[peers.*]`.

use crate::config::pipeline::enabled;
use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// `[peers.<name>]`: a system that endpoints receive from. Endpoints inherit these values from it.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The name.
    pub(crate) name: String,
    /// The place of the definition.
    pub(crate) place: Place,
    /// The name of the `[authentications.*]` that requests must satisfy.
    pub(crate) authentication: Option<Spanned<String>>,
    /// The value of `enabled`, `true` unless configured.
    pub(crate) enabled: bool,
}

impl Peer {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Self {
        Self {
            name,
            place: section.place().clone(),
            authentication: section.text("authentication", problems),
            enabled: enabled(section, problems),
        }
    }
}
