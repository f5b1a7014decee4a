use super::tasks;
use crate::testkit::question::{Question, Told};
use crate::testkit::stage::{built, name, within};
use crate::testkit::verdict::{Verdict, ensure, failed, skipped};
use crate::testkit::{Exchange, Subject, Trouble, World, seen_in_debug, seen_in_error};
use crate::{ErrorKind, Provider};

/// A gateway starts while its control plane is down.
pub(crate) async fn it_does_no_io(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let before = world.asked()?;
    let provider = built(&*world)?;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let asked = world.asked()? - before;
    ensure!(asked == 0, "building asked {asked} times");
    drop(provider);
    Ok(())
}

pub(crate) async fn it_starts_no_task(subject: &dyn Subject) -> Verdict {
    tasks::building_starts_no_task(subject.world().await).await
}

/// It is built while nobody is there, and works once somebody is.
pub(crate) async fn it_works_without_a_control_plane(subject: &dyn Subject) -> Verdict {
    let mut why = "no exchange can fail to reach anybody".to_owned();
    for exchange in Exchange::ALL {
        let world = subject.world().await;
        let Ok(question) = Question::prepare(&*world, exchange).await else { continue };
        if let Err(cannot) = world.trouble(exchange, &Trouble::Unreachable).await {
            why = cannot.to_string();
            continue;
        }
        let provider = built(&*world)?;
        world.calm().await;
        let question = within(&*world, question.ready(&*provider, exchange)).await??;
        return match within(&*world, question.ask(&*provider)).await? {
            Told::Right => Ok(()),
            other => failed(format!("built while nobody was there, and afterwards: {other:?}")),
        };
    }
    skipped(why)
}

/// Settings that make no sense refuse the configuration, whoever is to be blamed.
pub(crate) async fn bad_settings_are_invalid(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let tried = world.bad_settings();
    for (what, built) in &tried {
        match built {
            Ok(_) => return failed(format!("{what}: it was built")),
            Err(error) => {
                let kind = error.kind();
                ensure!(kind == ErrorKind::Invalid, "{what}: expected Invalid, got {kind:?}: {error}");
                ensure!(!error.to_string().trim().is_empty(), "{what}: the error says nothing");
            }
        }
    }
    if tried.is_empty() { skipped("there are no bad settings") } else { Ok(()) }
}

pub(crate) async fn refusals_show_no_secret(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let tried = world.bad_settings();
    for (what, built) in &tried {
        if let Err(error) = built {
            let seen = seen_in_error(&world.canaries(), error);
            ensure!(seen.is_none(), "{what}: the error shows {}", seen.unwrap_or_default());
        }
    }
    if tried.is_empty() { skipped("there are no bad settings") } else { Ok(()) }
}

/// References and meshes name a provider as the configuration does.
pub(crate) async fn the_name_is_the_configured_one(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    for name in world.names() {
        match world.build(&name) {
            Ok(provider) => {
                let got = provider.name();
                ensure!(*got == name, "it was given the name `{name}` and calls itself `{got}`");
            }
            Err(error) => return failed(format!("it was not built under the name `{name}`: {error}")),
        }
    }
    Ok(())
}

/// Name and abilities are facts, for the life of the provider: through good answers and bad ones.
pub(crate) async fn the_abilities_stay_what_they_are(subject: &dyn Subject) -> Verdict {
    for exchange in Exchange::ALL {
        let world = subject.world().await;
        let Ok(question) = Question::prepare(&*world, exchange).await else { continue };
        let provider = built(&*world)?;
        let first = abilities(&*provider);
        let (name, again) = (name(&*world)?, abilities(&*built(&*world)?));
        ensure!(first == again, "built twice, it can {first:?} and then {again:?}");
        if question.suits(&*provider).is_err() {
            continue;
        }
        let question = within(&*world, question.ready(&*provider, exchange)).await??;
        for trouble in [None, Some(Trouble::Status(401)), Some(Trouble::Status(503)), None] {
            world.calm().await;
            if let Some(trouble) = &trouble {
                world.trouble(exchange, trouble).await.ok();
            }
            within(&*world, question.ask(&*provider)).await?;
            let now = abilities(&*provider);
            ensure!(now == first, "{exchange:?} with {trouble:?}: it could {first:?} and now {now:?}");
            ensure!(*provider.name() == name, "{exchange:?} with {trouble:?}: the name has changed");
        }
    }
    Ok(())
}

/// What the provider can do and what the world has are the same, or one of the two is wrong.
pub(crate) async fn the_abilities_are_those_of_the_world(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let (has, can) = (facilities(&*world), abilities(&*built(&*world)?));
    let names = ["source", "resolver", "mesh_auth", "enrollment", "publisher", "retention"];
    for ((name, has), can) in names.into_iter().zip(has).zip(can) {
        ensure!(has == can, "`{name}()`: the provider has it: {can}; the world has what it is for: {has}");
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

fn facilities(world: &dyn World) -> [bool; 6] {
    [
        world.changes().is_ok(),
        world.resources().is_ok(),
        world.meshes().is_ok(),
        world.credentials().is_ok(),
        world.documents().is_ok(),
        world.retention().is_ok(),
    ]
}

/// Not when it is new, and not when it has used its secrets.
pub(crate) async fn debug_shows_no_secret(subject: &dyn Subject) -> Verdict {
    for exchange in Exchange::ALL {
        let world = subject.world().await;
        let Ok(question) = Question::prepare(&*world, exchange).await else { continue };
        let provider = built(&*world)?;
        let seen = seen_in_debug(&world.canaries(), &*provider);
        ensure!(seen.is_none(), "`Debug` of a new provider shows {}", seen.unwrap_or_default());
        let question = within(&*world, question.ready(&*provider, exchange)).await??;
        within(&*world, question.ask(&*provider)).await?;
        let seen = seen_in_debug(&world.canaries(), &*provider);
        ensure!(seen.is_none(), "`Debug` after {exchange:?} shows {}", seen.unwrap_or_default());
    }
    Ok(())
}

/// A host builds the next provider beside the one that serves, and either may be the one that is kept.
pub(crate) async fn two_live_beside_each_other(subject: &dyn Subject) -> Verdict {
    for exchange in Exchange::ALL {
        let world = subject.world().await;
        let Ok(question) = Question::prepare(&*world, exchange).await else { continue };
        let (first, second) = (built(&*world)?, built(&*world)?);
        let question = within(&*world, question.ready(&*first, exchange)).await??;
        for provider in [&first, &second, &first] {
            let told = within(&*world, question.ask(&**provider)).await?;
            let right = matches!(told, Told::Right);
            ensure!(right, "{exchange:?}, one of two beside each other: {told:?}");
        }
        drop(second);
        let told = within(&*world, question.ask(&*first)).await?;
        let right = matches!(told, Told::Right);
        ensure!(right, "{exchange:?}, after the other was dropped: {told:?}");
    }
    Ok(())
}
