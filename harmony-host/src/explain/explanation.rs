//! An explanation of one of four kinds.

use serde::Serialize;

use crate::explain::definition::DefinitionExplanation;
use crate::explain::key::KeyExplanation;
use crate::explain::reference::ReferenceExplanation;
use crate::explain::url::UrlExplanation;

/// An explanation. Its JSON has the member `what`; members are added to it, and never change their meaning.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Explanation {
    Url(UrlExplanation),
    Reference(Box<ReferenceExplanation>),
    Key(Box<KeyExplanation>),
    Definition(DefinitionExplanation),
}
