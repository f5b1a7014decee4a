//! Checks that no task is left behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, RuntimeMetrics};

use crate::Provider;
use crate::testkit::call::{Call, CallResult};
use crate::testkit::fixture::{Fixture, build_provider, with_patience};
use crate::testkit::outcome::{CheckResult, Stop, counted, ensure, failed};
use crate::testkit::world::World;
use crate::testkit::{Exchange, Subject, Trouble, at_most};

/// The number of calls whose tasks are counted.
const CALLS: usize = 6;

/// Runs `check` in a runtime of its own, so that all tasks in it belong to the provider.
pub(super) async fn in_own_runtime<F>(check: impl FnOnce(RuntimeMetrics) -> F + Send + 'static) -> CheckResult
where
    F: Future<Output = CheckResult>,
{
    let run = move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Stop::Failed(format!("creating a second runtime failed: {error}")))?;
        runtime.block_on(async { check(Handle::current().metrics()).await })
    };
    match tokio::task::spawn_blocking(run).await {
        Ok(result) => result,
        Err(panic) => failed(format!("the provider panicked: {panic}")),
    }
}

/// Waits until at most `few` tasks are alive: a task needs some polls to see that its call is gone.
pub(super) async fn wait_for_tasks(metrics: &RuntimeMetrics, few: usize, when: &str) -> CheckResult {
    for moment in 0..300 {
        if metrics.num_alive_tasks() <= few {
            return Ok(());
        }
        match moment {
            // Most tasks end after a few polls. Only those that wait for I/O need real time.
            0..200 => tokio::task::yield_now().await,
            _ => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
    let left = counted(metrics.num_alive_tasks(), "task");
    failed(format!("{when}: {left} alive, expected at most {few}"))
}

/// Checks that completed calls leave no task behind.
pub(crate) async fn no_task_is_left(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    let Fixture { world, call, .. } = Fixture::new(subject, exchange).await?;
    in_own_runtime(move |metrics| async move {
        let provider = build_provider(&*world)?;
        // A connection pool may have one task per connection. So count after two calls, and allow no growth.
        run_twice(&call, &*world, &*provider).await?;
        let usual = metrics.num_alive_tasks();
        for _ in 0..CALLS {
            with_patience(&*world, call.run(&*provider)).await?;
        }
        wait_for_tasks(&metrics, usual, "after completed calls").await
    })
    .await
}

/// Checks that dropped calls leave no task behind: dropping the future ends the exchange.
pub(crate) async fn no_task_is_left_by_calls_that_were_dropped(
    subject: &dyn Subject,
    exchange: Exchange,
) -> CheckResult {
    let Fixture { world, call, .. } = Fixture::new(subject, exchange).await?;
    world.trouble(exchange, &Trouble::Silence).await?;
    in_own_runtime(move |metrics| async move {
        let provider = build_provider(&*world)?;
        let usual = metrics.num_alive_tasks() + 1;
        for polls in 1..=CALLS {
            let limited = at_most(polls, call.run(&*provider));
            drop(tokio::time::timeout(Duration::from_millis(15), limited).await);
        }
        wait_for_tasks(&metrics, usual, "after dropped calls").await
    })
    .await
}

/// Checks that no task continues after provider, factory and world are dropped.
pub(crate) async fn no_task_outlives_the_provider(subject: &dyn Subject, exchange: Exchange) -> CheckResult {
    let Fixture { world, provider, call } = Fixture::new(subject, exchange).await?;
    drop(provider);
    in_own_runtime(move |metrics| async move {
        let provider = build_provider(&*world)?;
        run_twice(&call, &*world, &*provider).await?;
        drop((provider, world));
        wait_for_tasks(&metrics, 0, "after provider, factory and world were dropped").await
    })
    .await
}

async fn run_twice(call: &Call, world: &dyn World, provider: &dyn Provider) -> CheckResult {
    for _ in 0..2 {
        let result = with_patience(world, call.run(provider)).await?;
        ensure!(matches!(result, CallResult::Correct), "without a fault: {result:?}");
    }
    Ok(())
}

/// Checks that building starts no task: a provider of a rejected configuration would leave it behind.
pub(crate) async fn building_starts_no_task(world: Arc<dyn World>) -> CheckResult {
    in_own_runtime(move |metrics| async move {
        let provider = build_provider(&*world)?;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        let tasks = metrics.num_alive_tasks();
        ensure!(tasks == 0, "a new provider without any call has {}", counted(tasks, "task"));
        drop(provider);
        Ok(())
    })
    .await
}
