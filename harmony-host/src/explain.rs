//! Explanations: the route of a URL, the resource of a reference, the value of a key, with what defines them.

mod admission;
mod asked;
mod candidates;
mod definition;
mod destination;
mod effective;
mod key;
mod origin;
mod reference;
mod route;
mod subject;
mod url;

use serde::Serialize;

pub(crate) use asked::{Asked, Refusal};

/// The longest text that is explained, in bytes.
pub(crate) const MAX_SUBJECT_BYTES: usize = 2048;

/// An explanation. Its JSON has the member `what`; members are added to it, and never change their meaning.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Explanation {
    Url(url::UrlExplanation),
    Reference(Box<reference::ReferenceExplanation>),
    Key(Box<key::KeyExplanation>),
    Definition(definition::DefinitionExplanation),
}

/// Explains a URL, a reference, a key or a definition. Asks no control plane.
///
/// # Errors
/// The reason for which there is nothing to explain, with names that may be meant.
pub(crate) async fn explain(asked: &Asked<'_>, subject: &str) -> Result<Explanation, Refusal> {
    subject::explain(asked, subject.trim()).await
}
