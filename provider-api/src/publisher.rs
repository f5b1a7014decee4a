use async_trait::async_trait;

use crate::{DocumentKind, Result};

/// Pushes local configuration up to the control plane.
///
/// The control plane answers a push with changes that carry its own ids back; recognising those as an
/// echo is the host's work. Cancel safe, bounded by a deadline, and free of panics.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Creates or replaces one document there. Idempotent.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when the control plane does not accept the document,
    /// [`Denied`](crate::ErrorKind::Denied) when this gateway may not publish it,
    /// [`NotFound`](crate::ErrorKind::NotFound) when the control plane has no document of that id,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) otherwise.
    async fn publish(&self, publication: &Publication<'_>) -> Result<Published>;
}

/// A document to push.
#[derive(Clone, Debug)]
pub struct Publication<'a> {
    /// What it is.
    pub kind: &'a DocumentKind,
    /// The control plane's id of it, when it has one.
    pub id: Option<&'a str>,
    /// Its text.
    pub document: &'a str,
}

/// What became of a pushed document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The control plane's id of it.
    pub id: String,
    /// Whether it is new there.
    pub created: bool,
}

const _: fn(&dyn Publisher) = |_| {};
