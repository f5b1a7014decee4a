//! The contract with the application that serves requests.

use std::sync::Arc;

use async_trait::async_trait;

use crate::config::Capabilities;
use crate::diagnostics::rejection::Rejection;
use crate::snapshot::Snapshot;

/// The side that serves requests, as the control side knows it. It takes part in every verdict.
///
/// # The contract
///
/// For every configuration, whether it comes from the start, an edit, a change of a provider or the last good
/// generation, the host goes through these steps, one configuration at a time:
///
/// 1. [`prepare`](Self::prepare), before a file is written: build everything beside what serves; nothing visible changes.
/// 2. Only for a change of a provider: its files are written.
/// 3. [`activate`](Prepared::activate): make it live, and show that it is.
/// 4. [`commit`](Prepared::commit) after success, [`rollback`](Prepared::rollback) after any failure. The host calls
///    exactly one of them for each `Prepared`, unless it is stopped first.
///
/// * An error of `prepare` or `activate` is the verdict: what was served is served on. A change is reported `failed`
///   with the class and problems of the [`Rejection`], and its files are what they were. An edit stays in the
///   operator's file. Problems that have a dotted key and no place get file and line from the host.
/// * Each step has a deadline, [`HostOptions::activation_deadline`](crate::HostOptions::activation_deadline). A panic or
///   a missed deadline in `prepare` or `activate` is a rejection, in `commit` or `rollback` it is logged. The loop of the
///   host outlives both. Steps run in tasks of their own; a step that blocks its thread past the deadline keeps further
///   configurations waiting until it returns, since two must not be activated at once.
/// * Dropping the future of a step cancels it. A `Prepared` that is only dropped leaves nothing of its own behind.
#[async_trait]
pub trait Activation: Send + Sync + 'static {
    /// The services and middleware that are served. Called once, at the start; does no I/O.
    fn capabilities(&self) -> Capabilities;

    /// Builds what `candidate` needs beside `serving`, which is `None` at the start.
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
    /// Makes the candidate live and shows that it is.
    ///
    /// # Errors
    /// The problems for which it is not live, usually of the class
    /// [`Activate`](provider_api::RejectionClass::Activate). [`rollback`](Self::rollback) follows.
    async fn activate(&mut self) -> Result<(), Rejection>;

    /// Retires what the candidate replaced. Cannot fail; what takes long goes on in the background.
    async fn commit(self: Box<Self>);

    /// Brings back what the candidate replaced, also after a panic or a missed deadline in the middle of
    /// [`activate`](Self::activate). Cannot fail.
    async fn rollback(self: Box<Self>);
}

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
