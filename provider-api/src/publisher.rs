//! Pushing local configuration to the control plane.

use async_trait::async_trait;

use crate::{DocumentKind, Result};

/// Pushes local configuration to the control plane.
///
/// A control plane may offer a pushed document back as a change, with ids of its own in it. The host
/// recognizes such an echo; a provider passes it on like any change.
///
/// [`publish`](Self::publish) is cancel safe, has a deadline and does not panic, as the
/// [contract](crate::Provider#the-contract) demands. After a cancelled call or an
/// [`Unavailable`](crate::ErrorKind::Unavailable) error the control plane may or may not have the document.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Creates one document at the control plane, or replaces the one with the given id.
    ///
    /// Idempotent: the host repeats a call whose response was lost.
    ///
    /// # Errors
    /// * [`Invalid`](crate::ErrorKind::Invalid): the control plane does not accept the document.
    /// * [`Denied`](crate::ErrorKind::Denied): this gateway may not publish the document.
    /// * [`NotFound`](crate::ErrorKind::NotFound): the control plane has no document with that id.
    /// * [`Unavailable`](crate::ErrorKind::Unavailable): every other failure; a later call may succeed.
    async fn publish(&self, publication: &Publication<'_>) -> Result<Published>;
}

/// A document to push.
#[derive(Clone, Debug)]
pub struct Publication<'a> {
    /// The kind of the document.
    pub kind: &'a DocumentKind,
    /// The id at the control plane; `None` for a document that was never pushed.
    pub id: Option<&'a str>,
    /// The text, sent unchanged.
    pub document: &'a str,
}

/// The result of pushing a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The id at the control plane.
    pub id: String,
    /// True when the call created the document, false when it replaced one.
    pub created: bool,
}

const _: fn(&dyn Publisher) = |_| {};
