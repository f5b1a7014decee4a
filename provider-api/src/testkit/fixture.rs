//! The fixture of a check: a new world, a provider and a call.

use std::future::Future;
use std::sync::Arc;

use super::call::{Call, CallResult};
use super::catch_panic::catch_panic;
use super::outcome::{CheckResult, Stop, failed, skipped};
use super::world::{Subject, World};
use super::{Cannot, Exchange, Trouble};
use crate::{ErrorKind, Provider, ProviderName};

/// A new world with a provider and a prepared call.
pub(super) struct Fixture {
    pub(super) world: Arc<dyn World>,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) call: Call,
}

impl Fixture {
    pub(super) async fn new(subject: &dyn Subject, exchange: Exchange) -> Result<Self, Stop> {
        let world = subject.world().await;
        let call = Call::prepare(&*world, exchange).await?;
        let provider = build_provider(&*world)?;
        call.require_ability(&*provider)?;
        let call = with_patience(&*world, call.complete(&*provider, exchange)).await??;
        Ok(Self { world, provider, call })
    }

    /// Makes the call once.
    pub(super) async fn run(&self) -> Result<CallResult, Stop> {
        with_patience(&*self.world, self.call.run(&*self.provider)).await
    }

    /// Makes the call once and expects the correct result.
    pub(super) async fn expect_correct(&self, when: &str) -> CheckResult {
        match self.run().await? {
            CallResult::Correct => Ok(()),
            CallResult::Incorrect(wrong) => failed(format!("{when}: {wrong}")),
            CallResult::Failed(error) => {
                failed(format!("{when}: the call failed with {:?}: {error}", error.kind()))
            }
        }
    }

    /// Makes the call once during a trouble and expects an error of one of these kinds.
    pub(super) async fn expect_error(
        &self,
        exchange: Exchange,
        trouble: &Trouble,
        kinds: &[ErrorKind],
    ) -> Result<crate::Error, Stop> {
        self.world.calm().await;
        self.world.trouble(exchange, trouble).await?;
        match self.run().await? {
            CallResult::Failed(error) if kinds.contains(&error.kind()) => Ok(error),
            CallResult::Failed(error) => {
                failed(format!("{trouble:?}: expected one of {kinds:?}, got {:?}: {error}", error.kind()))
            }
            CallResult::Correct => failed(format!("{trouble:?}: the call succeeded")),
            CallResult::Incorrect(wrong) => failed(format!("{trouble:?}: {wrong}")),
        }
    }
}

/// Returns the name under which the checks build a provider.
pub(super) fn provider_name(world: &dyn World) -> Result<ProviderName, Stop> {
    world.names().into_iter().next().ok_or_else(|| Cannot::because("the world has no provider name").into())
}

/// Builds a provider for the current state of the world.
pub(super) fn build_provider(world: &dyn World) -> Result<Arc<dyn Provider>, Stop> {
    let built = world.build(&provider_name(world)?);
    built.map_err(|error| {
        Stop::Failed(format!("building the provider failed with {:?}: {error}", error.kind()))
    })
}

/// Returns the result of a call. Fails when the call panics or exceeds the patience of the world.
pub(super) async fn with_patience<T>(world: &dyn World, call: impl Future<Output = T>) -> Result<T, Stop> {
    match tokio::time::timeout(world.patience(), catch_panic(call)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => failed(format!("the provider panicked: {panic}")),
        Err(_) => failed(format!("the call did not end within {:?}", world.patience())),
    }
}

/// Returns the ability. Fails when the provider does not have it: checks call this only after the world has
/// shown that it supports the ability.
pub(super) fn require_ability<'a, T: ?Sized>(has: Option<&'a T>, name: &str) -> Result<&'a T, Stop> {
    match has {
        Some(ability) => Ok(ability),
        None => failed(format!("`{name}()` is None, but the world supports the ability")),
    }
}

/// Skips a check that does not apply to an exchange.
pub(super) fn not_applicable<T>(why: &str) -> Result<T, Stop> {
    skipped(why)
}
