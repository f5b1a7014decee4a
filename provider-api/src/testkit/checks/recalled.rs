use std::sync::Arc;
use std::time::Duration;

use crate::testkit::question::{Question, Told};
use crate::testkit::stage::{ability, built, within};
use crate::testkit::verdict::{Stop, Verdict, ensure, failed, skipped};
use crate::testkit::{Jwt, Subject, Trouble, World};
use crate::{Clock as _, ErrorKind, Provider, Retention};

/// A provider that has learned something, what it keeps of it, and a question that it answers from it.
pub(super) struct Learned {
    pub(super) world: Arc<dyn World>,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) question: Question,
    pub(super) kept: String,
}

pub(super) fn retention(provider: &dyn Provider) -> Result<&dyn Retention, Stop> {
    ability(provider.retention(), "retention")
}

pub(super) async fn ask(
    world: &dyn World,
    question: &Question,
    provider: &dyn Provider,
) -> Result<Told, Stop> {
    within(world, question.ask(provider)).await
}

impl Learned {
    pub(super) async fn by(subject: &dyn Subject) -> Result<Self, Stop> {
        let world = subject.world().await;
        let exchange = world.retention()?.learned();
        let question = Question::prepare(&*world, exchange).await?;
        let provider = built(&*world)?;
        question.suits(&*provider)?;
        let question = within(&*world, question.ready(&*provider, exchange)).await??;
        let told = ask(&*world, &question, &*provider).await?;
        ensure!(matches!(told, Told::Right), "{exchange:?}, when nothing is wrong: {told:?}");
        match retention(&*provider)?.save().filter(|kept| !kept.trim().is_empty()) {
            Some(kept) => Ok(Self { world, provider, question, kept }),
            None => failed(format!("it has learned from {exchange:?}, and keeps nothing")),
        }
    }

    /// From now on nothing more can be learned.
    pub(super) async fn away(&self) -> Verdict {
        let exchange = self.world.retention()?.learned();
        Ok(self.world.trouble(exchange, &Trouble::Unreachable).await?)
    }

    /// Lets time pass. A token to be verified is signed anew, for what is tried is what it is verified with.
    pub(super) async fn pass(&mut self, time: Duration) -> Verdict {
        self.world.pass(time).await;
        if let Question::Verify { token, .. } = &mut self.question {
            let Some(jwt) = Jwt::parse(token) else {
                return skipped("the tokens of this provider are no JWTs");
            };
            let now = self.world.clock().unix_now();
            let claims = jwt.claim("iat", now).claim("exp", now + 300).claims;
            *token = self.world.meshes()?.sign(&claims).await?;
        }
        Ok(())
    }

    /// The provider after a restart, given what was kept.
    pub(super) async fn recalled(&self, kept: &str) -> Result<Arc<dyn Provider>, Stop> {
        self.world.retention()?.restart().await;
        let next = built(&*self.world)?;
        retention(&*next)?.restore(kept);
        Ok(next)
    }

    /// With `kept` the next provider answers while nobody is there; without it, it would not.
    pub(super) async fn is_used(&self, when: &str, kept: &str) -> Result<Arc<dyn Provider>, Stop> {
        self.world.retention()?.restart().await;
        self.away().await?;
        if let Told::Right = ask(&*self.world, &self.question, &*built(&*self.world)?).await? {
            return skipped("it answers while nobody is there, without anything that was kept");
        }
        let next = self.recalled(kept).await?;
        let told = ask(&*self.world, &self.question, &*next).await?;
        self.world.calm().await;
        match told {
            Told::Right => Ok(next),
            other => failed(format!("{when}, given what was kept, while nobody is there: {other:?}")),
        }
    }

    /// `provider` does not know the answer, which it gives as soon as somebody is there.
    pub(super) async fn is_unknown(&self, when: &str, provider: &dyn Provider) -> Verdict {
        self.away().await?;
        match ask(&*self.world, &self.question, provider).await? {
            Told::Refused(error) if error.kind() == ErrorKind::Unavailable => {}
            other => return failed(format!("{when}: expected Unavailable, got {other:?}")),
        }
        self.world.calm().await;
        self.world.retention()?.restart().await;
        match ask(&*self.world, &self.question, &*built(&*self.world)?).await? {
            Told::Right => Ok(()),
            other => failed(format!("{when}, with the control plane there: {other:?}")),
        }
    }
}
