use std::future::Future;
use std::sync::Arc;

use super::question::{Question, Told};
use super::verdict::{Stop, Verdict, failed, skipped};
use super::world::{Subject, World};
use super::{Cannot, Exchange, Trouble, caught};
use crate::{ErrorKind, Provider, ProviderName};

/// A fresh world with a provider in it and a question to put to it.
pub(super) struct Stage {
    pub(super) world: Arc<dyn World>,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) question: Question,
}

impl Stage {
    pub(super) async fn of(subject: &dyn Subject, exchange: Exchange) -> Result<Self, Stop> {
        let world = subject.world().await;
        let question = Question::prepare(&*world, exchange).await?;
        let provider = built(&*world)?;
        question.suits(&*provider)?;
        let question = within(&*world, question.ready(&*provider, exchange)).await??;
        Ok(Self { world, provider, question })
    }

    /// Asks once.
    pub(super) async fn ask(&self) -> Result<Told, Stop> {
        within(&*self.world, self.question.ask(&*self.provider)).await
    }

    /// Asks once, when nothing is wrong.
    pub(super) async fn ask_rightly(&self, when: &str) -> Verdict {
        match self.ask().await? {
            Told::Right => Ok(()),
            Told::Wrong(wrong) => failed(format!("{when}: {wrong}")),
            Told::Refused(error) => failed(format!("{when}: it says {:?}, {error}", error.kind())),
        }
    }

    /// Asks once under a trouble, and expects an error of one of these kinds.
    pub(super) async fn refused(
        &self,
        exchange: Exchange,
        trouble: &Trouble,
        kinds: &[ErrorKind],
    ) -> Result<crate::Error, Stop> {
        self.world.calm().await;
        self.world.trouble(exchange, trouble).await?;
        match self.ask().await? {
            Told::Refused(error) if kinds.contains(&error.kind()) => Ok(error),
            Told::Refused(error) => {
                failed(format!("{trouble:?}: expected one of {kinds:?}, got {:?}: {error}", error.kind()))
            }
            Told::Right => failed(format!("{trouble:?}: it answers as if nothing were wrong")),
            Told::Wrong(wrong) => failed(format!("{trouble:?}: {wrong}")),
        }
    }
}

/// The name that checks give a provider.
pub(super) fn name(world: &dyn World) -> Result<ProviderName, Stop> {
    world.names().into_iter().next().ok_or_else(|| Cannot::because("the world has no name for it").into())
}

/// A provider of the world as it is.
pub(super) fn built(world: &dyn World) -> Result<Arc<dyn Provider>, Stop> {
    let built = world.build(&name(world)?);
    built.map_err(|error| Stop::Failed(format!("it was not built: {:?}, {error}", error.kind())))
}

/// What a call brings, unless it takes longer than anything may here, or panics.
pub(super) async fn within<T>(world: &dyn World, call: impl Future<Output = T>) -> Result<T, Stop> {
    match tokio::time::timeout(world.patience(), caught::caught(call)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(panic)) => failed(format!("it panicked: {panic}")),
        Err(_) => failed(format!("no answer within {:?}", world.patience())),
    }
}

/// The ability, or a reason to skip: neither the world nor the provider has it. When only the provider lacks
/// it, one of the two is wrong.
pub(super) fn ability<'a, T: ?Sized>(has: Option<&'a T>, name: &str) -> Result<&'a T, Stop> {
    match has {
        Some(ability) => Ok(ability),
        None => failed(format!("`{name}()` is None, and the world has what it is for")),
    }
}

/// Ends a check that has no meaning for an exchange.
pub(super) fn pointless<T>(why: &str) -> Result<T, Stop> {
    skipped(why)
}
