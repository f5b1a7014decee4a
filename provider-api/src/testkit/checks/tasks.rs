use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, RuntimeMetrics};

use crate::Provider;
use crate::testkit::question::{Question, Told};
use crate::testkit::stage::{Stage, built, within};
use crate::testkit::verdict::{Stop, Verdict, ensure, failed};
use crate::testkit::world::World;
use crate::testkit::{Exchange, Subject, Trouble, at_most};

/// How often an exchange is repeated whose tasks are counted.
const REPEATED: usize = 6;

/// Runs `check` in a runtime of its own, so that every task in it is the provider's.
pub(super) async fn alone<F>(check: impl FnOnce(RuntimeMetrics) -> F + Send + 'static) -> Verdict
where
    F: Future<Output = Verdict>,
{
    let run = move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Stop::Failed(format!("no second runtime: {error}")))?;
        runtime.block_on(async { check(Handle::current().metrics()).await })
    };
    match tokio::task::spawn_blocking(run).await {
        Ok(verdict) => verdict,
        Err(panic) => failed(format!("it panicked: {panic}")),
    }
}

/// Waits until there are no more than `few` tasks. They need a moment to notice that nobody waits for them.
pub(super) async fn settle(metrics: &RuntimeMetrics, few: usize, when: &str) -> Verdict {
    for moment in 0..300 {
        if metrics.num_alive_tasks() <= few {
            return Ok(());
        }
        match moment {
            0..200 => tokio::task::yield_now().await,
            _ => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
    failed(format!("{when}: {} tasks are left, expected at most {few}", metrics.num_alive_tasks()))
}

/// Calls that ended, well or not, leave no task behind.
pub(crate) async fn no_task_is_left(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    let Stage { world, question, .. } = Stage::of(subject, exchange).await?;
    alone(move |metrics| async move {
        let provider = built(&*world)?;
        // What keeps a connection open is no task that a call left: there is one after the second call as well.
        ask_twice(&question, &*world, &*provider).await?;
        let usual = metrics.num_alive_tasks();
        for _ in 0..REPEATED {
            within(&*world, question.ask(&*provider)).await?;
        }
        settle(&metrics, usual, "after calls that ended").await
    })
    .await
}

/// Calls that were dropped leave no task behind: dropping the future abandons the exchange.
pub(crate) async fn no_task_is_left_by_calls_that_were_dropped(
    subject: &dyn Subject,
    exchange: Exchange,
) -> Verdict {
    let Stage { world, question, .. } = Stage::of(subject, exchange).await?;
    world.trouble(exchange, &Trouble::Silence).await?;
    alone(move |metrics| async move {
        let provider = built(&*world)?;
        let usual = metrics.num_alive_tasks() + 1;
        for polls in 1..=REPEATED {
            let asked = at_most(polls, question.ask(&*provider));
            drop(tokio::time::timeout(Duration::from_millis(15), asked).await);
        }
        settle(&metrics, usual, "after calls that were dropped in a silence").await
    })
    .await
}

/// Nothing goes on after the provider, its factory and its world are gone.
pub(crate) async fn no_task_outlives_the_provider(subject: &dyn Subject, exchange: Exchange) -> Verdict {
    let Stage { world, provider, question } = Stage::of(subject, exchange).await?;
    drop(provider);
    alone(move |metrics| async move {
        let provider = built(&*world)?;
        ask_twice(&question, &*world, &*provider).await?;
        drop((provider, world));
        settle(&metrics, 0, "after the provider, its factory and its world were dropped").await
    })
    .await
}

async fn ask_twice(question: &Question, world: &dyn World, provider: &dyn Provider) -> Verdict {
    for _ in 0..2 {
        let told = within(world, question.ask(provider)).await?;
        ensure!(matches!(told, Told::Right), "nothing is wrong: {told:?}");
    }
    Ok(())
}

/// Building does no I/O, so it needs no task either.
pub(crate) async fn building_starts_no_task(world: Arc<dyn World>) -> Verdict {
    alone(move |metrics| async move {
        let provider = built(&*world)?;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        let tasks = metrics.num_alive_tasks();
        ensure!(tasks == 0, "a provider that nobody has asked anything has {tasks} tasks");
        drop(provider);
        Ok(())
    })
    .await
}
