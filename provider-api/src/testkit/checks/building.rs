//! Checks of building a provider, and of the provider as such.

use super::tasks;
use crate::testkit::call::{Call, CallResult};
use crate::testkit::fixture::{build_provider, provider_name, with_patience};
use crate::testkit::outcome::{CheckResult, counted, ensure, failed, skipped};
use crate::testkit::{Exchange, Subject, Trouble, World, seen_in_debug, seen_in_error};
use crate::{ErrorKind, Provider};

/// Checks that building sends no request: a gateway starts while its control plane is down.
pub(crate) async fn it_does_no_io(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let before = world.asked()?;
    let provider = build_provider(&*world)?;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let sent = world.asked()? - before;
    ensure!(sent == 0, "building the provider sent {}", counted(sent, "request"));
    drop(provider);
    Ok(())
}

pub(crate) async fn it_starts_no_task(subject: &dyn Subject) -> CheckResult {
    tasks::building_starts_no_task(subject.world().await).await
}

/// Checks that a provider that was built while the control plane is unreachable works afterwards.
pub(crate) async fn it_works_without_a_control_plane(subject: &dyn Subject) -> CheckResult {
    let mut why = "the world cannot make the control plane unreachable".to_owned();
    for exchange in Exchange::ALL {
        let world = subject.world().await;
        let Ok(call) = Call::prepare(&*world, exchange).await else { continue };
        if let Err(cannot) = world.trouble(exchange, &Trouble::Unreachable).await {
            why = cannot.to_string();
            continue;
        }
        let provider = build_provider(&*world)?;
        world.calm().await;
        let call = with_patience(&*world, call.complete(&*provider, exchange)).await??;
        return match with_patience(&*world, call.run(&*provider)).await? {
            CallResult::Correct => Ok(()),
            other => failed(format!("built while the control plane was unreachable, then: {other:?}")),
        };
    }
    skipped(why)
}

/// Checks that invalid settings are `Invalid` errors with a message, so that the host rejects the
/// configuration.
pub(crate) async fn bad_settings_are_invalid(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let tried = world.bad_settings();
    for (what, built) in &tried {
        match built {
            Ok(_) => return failed(format!("{what}: expected Invalid, but the provider was built")),
            Err(error) => {
                let kind = error.kind();
                ensure!(kind == ErrorKind::Invalid, "{what}: expected Invalid, got {kind:?}: {error}");
                ensure!(!error.to_string().trim().is_empty(), "{what}: the error has no message");
            }
        }
    }
    if tried.is_empty() { skipped("the world has no invalid settings") } else { Ok(()) }
}

pub(crate) async fn refusals_show_no_secret(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let tried = world.bad_settings();
    for (what, built) in &tried {
        if let Err(error) = built {
            let seen = seen_in_error(&world.canaries(), error);
            ensure!(seen.is_none(), "{what}: the error shows {}", seen.unwrap_or_default());
        }
    }
    if tried.is_empty() { skipped("the world has no invalid settings") } else { Ok(()) }
}

/// Checks that the provider has its configured name: references and meshes use that name.
pub(crate) async fn the_name_is_the_configured_one(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    for name in world.names() {
        match world.build(&name) {
            Ok(provider) => {
                let got = provider.name();
                ensure!(*got == name, "the provider was built as `{name}` and returns the name `{got}`");
            }
            Err(error) => return failed(format!("building it as `{name}` failed: {error}")),
        }
    }
    Ok(())
}

/// Checks that name and abilities stay the same through successful and failed calls.
pub(crate) async fn the_abilities_stay_what_they_are(subject: &dyn Subject) -> CheckResult {
    for exchange in Exchange::ALL {
        let world = subject.world().await;
        let Ok(call) = Call::prepare(&*world, exchange).await else { continue };
        let provider = build_provider(&*world)?;
        let first = abilities(&*provider);
        let (name, again) = (provider_name(&*world)?, abilities(&*build_provider(&*world)?));
        ensure!(first == again, "two providers have different abilities: {first:?} and {again:?}");
        if call.require_ability(&*provider).is_err() {
            continue;
        }
        let call = with_patience(&*world, call.complete(&*provider, exchange)).await??;
        for trouble in [None, Some(Trouble::Status(401)), Some(Trouble::Status(503)), None] {
            world.calm().await;
            if let Some(trouble) = &trouble {
                world.trouble(exchange, trouble).await.ok();
            }
            with_patience(&*world, call.run(&*provider)).await?;
            let now = abilities(&*provider);
            ensure!(
                now == first,
                "{exchange:?} with {trouble:?}: the abilities were {first:?} and are {now:?}"
            );
            ensure!(*provider.name() == name, "{exchange:?} with {trouble:?}: the name has changed");
        }
    }
    Ok(())
}

/// Checks that provider and world agree on the abilities. Otherwise checks would be skipped by mistake.
pub(crate) async fn the_abilities_are_those_of_the_world(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let (has, can) = (supported_abilities(&*world), abilities(&*build_provider(&*world)?));
    let names = ["source", "resolver", "mesh_auth", "enrollment", "publisher", "retention"];
    for ((name, has), can) in names.into_iter().zip(has).zip(can) {
        ensure!(has == can, "`{name}()`: the provider has the ability: {can}; the world supports it: {has}");
    }
    Ok(())
}

fn abilities(provider: &dyn Provider) -> [bool; 6] {
    [
        provider.source().is_some(),
        provider.resolver().is_some(),
        provider.mesh_auth().is_some(),
        provider.enrollment().is_some(),
        provider.publisher().is_some(),
        provider.retention().is_some(),
    ]
}

fn supported_abilities(world: &dyn World) -> [bool; 6] {
    [
        world.changes().is_ok(),
        world.resources().is_ok(),
        world.meshes().is_ok(),
        world.credentials().is_ok(),
        world.documents().is_ok(),
        world.retention().is_ok(),
    ]
}

/// Checks `Debug` of a new provider and of one that has used its secrets.
pub(crate) async fn debug_shows_no_secret(subject: &dyn Subject) -> CheckResult {
    for exchange in Exchange::ALL {
        let world = subject.world().await;
        let Ok(call) = Call::prepare(&*world, exchange).await else { continue };
        let provider = build_provider(&*world)?;
        let seen = seen_in_debug(&world.canaries(), &*provider);
        ensure!(seen.is_none(), "`Debug` of a new provider shows {}", seen.unwrap_or_default());
        let call = with_patience(&*world, call.complete(&*provider, exchange)).await??;
        with_patience(&*world, call.run(&*provider)).await?;
        let seen = seen_in_debug(&world.canaries(), &*provider);
        ensure!(seen.is_none(), "`Debug` after {exchange:?} shows {}", seen.unwrap_or_default());
    }
    Ok(())
}

/// Checks two providers at a time: a host builds the next one while the current one serves, and drops either.
pub(crate) async fn two_live_beside_each_other(subject: &dyn Subject) -> CheckResult {
    for exchange in Exchange::ALL {
        let world = subject.world().await;
        let Ok(call) = Call::prepare(&*world, exchange).await else { continue };
        let (first, second) = (build_provider(&*world)?, build_provider(&*world)?);
        let call = with_patience(&*world, call.complete(&*first, exchange)).await??;
        for provider in [&first, &second, &first] {
            let result = with_patience(&*world, call.run(&**provider)).await?;
            let right = matches!(result, CallResult::Correct);
            ensure!(right, "{exchange:?}, with two providers: {result:?}");
        }
        drop(second);
        let result = with_patience(&*world, call.run(&*first)).await?;
        let right = matches!(result, CallResult::Correct);
        ensure!(right, "{exchange:?}, after the other provider was dropped: {result:?}");
    }
    Ok(())
}
