//! Explanations: the route of a URL, the resource of a reference, the value of a key, with what defines them.

mod admission;
mod asked;
mod candidates;
mod definition;
mod destination;
mod effective;
mod explanation;
mod key;
mod origin;
mod reference;
mod route;
mod subject;
mod url;

pub(crate) use asked::{Asked, Refusal};
pub(crate) use subject::explain;
