//! The contract with the application that serves requests.

use std::sync::Arc;

use async_trait::async_trait;

use crate::config::Capabilities;
use crate::diagnostics::rejection::Rejection;
use crate::snapshot::Snapshot;

/// The application that serves requests. It takes part in the verdict on every configuration.
///
/// # The contract
///
/// The host takes every configuration through these steps, one configuration at a time. The configuration may come from
/// the start, an edit, a change of a provider or the last good generation.
///
/// 1. [`prepare`](Self::prepare), before a file is written: build everything beside the live configuration. Nothing
///    visible changes.
/// 2. Only for a change of a provider: its files are written.
/// 3. [`activate`](Prepared::activate): make it live, and verify that it is.
/// 4. [`commit`](Prepared::commit) after success, [`rollback`](Prepared::rollback) after any failure. The host calls
///    exactly one of them for each `Prepared`, unless it is stopped first.
///
/// * An error of `prepare` or `activate` is the verdict: the previous configuration stays live. A change is reported
///   `failed` with the class and problems of the [`Rejection`], and its files are restored. An edit stays in the
///   operator's file. The host adds file and line to problems that have a dotted key and no place.
/// * Each step has a deadline, [`HostOptions::activation_deadline`](crate::HostOptions::activation_deadline). A panic
///   or a missed deadline in `prepare` or `activate` is a rejection; in `commit` or `rollback` it is logged. The host
///   continues after both. Steps run in tasks of their own; a step that blocks its thread past the deadline keeps further
///   configurations waiting until it returns, since two must not be activated at once.
/// * Dropping the future of a step cancels it. A `Prepared` that is only dropped leaves nothing of its own behind.
#[async_trait]
pub trait Activation: Send + Sync + 'static {
    /// Returns the services and middleware that the application serves. Called once, at the start; must do no I/O.
    fn capabilities(&self) -> Capabilities;

    /// Builds everything that `candidate` needs, beside the live snapshot `serving`, which is `None` at the start.
    ///
    /// # Errors
    /// The problems for which the candidate cannot be served, with the class of the step:
    /// [`Build`](provider_api::RejectionClass::Build) unless another fits better.
    async fn prepare(
        &self,
        candidate: &Arc<Snapshot>,
        serving: Option<&Arc<Snapshot>>,
    ) -> Result<Box<dyn Prepared>, Rejection>;
}

/// A candidate that can be made live.
#[async_trait]
pub trait Prepared: Send {
    /// Makes the candidate live and verifies that it is.
    ///
    /// # Errors
    /// The problems for which the candidate is not live, usually of the class
    /// [`Activate`](provider_api::RejectionClass::Activate). [`rollback`](Self::rollback) follows.
    async fn activate(&mut self) -> Result<(), Rejection>;

    /// Retires the configuration that the candidate replaced. Cannot fail; slow work continues in the background.
    async fn commit(self: Box<Self>);

    /// Restores the configuration that the candidate replaced, also after a panic or a missed deadline in the middle of
    /// [`activate`](Self::activate). Cannot fail.
    async fn rollback(self: Box<Self>);
}

// Both traits must stay usable as trait objects.
const _: fn(&dyn Activation, &dyn Prepared) = |_, _| {};

#[async_trait]
impl<A: Activation + ?Sized> Activation for Arc<A> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    async fn prepare(
        &self,
        candidate: &Arc<Snapshot>,
        serving: Option<&Arc<Snapshot>>,
    ) -> Result<Box<dyn Prepared>, Rejection> {
        (**self).prepare(candidate, serving).await
    }
}
