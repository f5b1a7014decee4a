//! The fixture of the checks of saved state.

use std::sync::Arc;
use std::time::Duration;

use crate::testkit::call::{Call, CallResult};
use crate::testkit::fixture::{build_provider, require_ability, with_patience};
use crate::testkit::outcome::{CheckResult, Stop, ensure, failed, skipped};
use crate::testkit::{Jwt, Subject, Trouble, World};
use crate::{Clock as _, ErrorKind, Provider, Retention};

/// A provider with state, its saved text, and a call that needs the state.
pub(super) struct SavedState {
    pub(super) world: Arc<dyn World>,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) call: Call,
    pub(super) saved: String,
}

pub(super) fn retention(provider: &dyn Provider) -> Result<&dyn Retention, Stop> {
    require_ability(provider.retention(), "retention")
}

pub(super) async fn run_call(
    world: &dyn World,
    call: &Call,
    provider: &dyn Provider,
) -> Result<CallResult, Stop> {
    with_patience(world, call.run(provider)).await
}

impl SavedState {
    pub(super) async fn new(subject: &dyn Subject) -> Result<Self, Stop> {
        let world = subject.world().await;
        let exchange = world.retention()?.learned();
        let call = Call::prepare(&*world, exchange).await?;
        let provider = build_provider(&*world)?;
        call.require_ability(&*provider)?;
        let call = with_patience(&*world, call.complete(&*provider, exchange)).await??;
        let result = run_call(&*world, &call, &*provider).await?;
        ensure!(matches!(result, CallResult::Correct), "{exchange:?}, without a fault: {result:?}");
        match retention(&*provider)?.save().filter(|saved| !saved.trim().is_empty()) {
            Some(saved) => Ok(Self { world, provider, call, saved }),
            None => failed(format!("after {exchange:?}, the provider saves no state")),
        }
    }

    /// Makes the control plane unreachable for the exchange that yields the state.
    pub(super) async fn cut_off(&self) -> CheckResult {
        let exchange = self.world.retention()?.learned();
        Ok(self.world.trouble(exchange, &Trouble::Unreachable).await?)
    }

    /// Lets time pass, and renews the token of the call: the check is about the age of the keys, not of the
    /// token.
    pub(super) async fn pass(&mut self, time: Duration) -> CheckResult {
        self.world.pass(time).await;
        if let Call::Verify { token, .. } = &mut self.call {
            let Some(jwt) = Jwt::parse(token) else {
                return skipped("the tokens of this provider are not JWTs");
            };
            let now = self.world.clock().unix_now();
            let claims = jwt.claim("iat", now).claim("exp", now + 300).claims;
            *token = self.world.meshes()?.sign(&claims).await?;
        }
        Ok(())
    }

    /// Returns a provider after a restart, with `saved` restored.
    pub(super) async fn restored(&self, saved: &str) -> Result<Arc<dyn Provider>, Stop> {
        self.world.retention()?.restart().await;
        let next = build_provider(&*self.world)?;
        retention(&*next)?.restore(saved);
        Ok(next)
    }

    /// Expects that after a restart the call works without the control plane, because of `saved`.
    pub(super) async fn expect_restored(&self, when: &str, saved: &str) -> Result<Arc<dyn Provider>, Stop> {
        self.world.retention()?.restart().await;
        self.cut_off().await?;
        if let CallResult::Correct =
            run_call(&*self.world, &self.call, &*build_provider(&*self.world)?).await?
        {
            return skipped("the call works without saved state and without the control plane");
        }
        let next = self.restored(saved).await?;
        let result = run_call(&*self.world, &self.call, &*next).await?;
        self.world.calm().await;
        match result {
            CallResult::Correct => Ok(next),
            other => failed(format!("{when}, with restored state and without the control plane: {other:?}")),
        }
    }

    /// Expects that the call fails without the control plane, and works once it is reachable.
    pub(super) async fn expect_unknown(&self, when: &str, provider: &dyn Provider) -> CheckResult {
        self.cut_off().await?;
        match run_call(&*self.world, &self.call, provider).await? {
            CallResult::Failed(error) if error.kind() == ErrorKind::Unavailable => {}
            other => return failed(format!("{when}: expected Unavailable, got {other:?}")),
        }
        self.world.calm().await;
        self.world.retention()?.restart().await;
        match run_call(&*self.world, &self.call, &*build_provider(&*self.world)?).await? {
            CallResult::Correct => Ok(()),
            other => failed(format!("{when}, with a reachable control plane: {other:?}")),
        }
    }
}
