use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::changes::fine;
use crate::testkit::stage::{ability, built, within};
use crate::testkit::verdict::{Stop, Verdict, ensure, failed, skipped};
use crate::testkit::{Placed, Placing, Subject, World};
use crate::{Error, ErrorKind, Freshness, Provider, Reference, Resolved, ResourceKey, ResourceType, Result};

const URLS: [&str; 2] = ["https://a.kit.example/r4", "https://b.kit.example/r4"];

async fn resolve(
    world: &dyn World,
    provider: &dyn Provider,
    reference: &Reference,
) -> Result<Result<Resolved>, Stop> {
    within(world, ability(provider.resolver(), "resolver")?.resolve(reference)).await
}

async fn placed(world: &dyn World, kind: ResourceType, name: &str) -> Result<Placed, Stop> {
    let placed = world.resources()?.place(&Placing::new(kind, name, &URLS)).await?;
    ensure!(!placed.references.is_empty(), "the world has no reference to what it placed");
    Ok(placed)
}

/// An error of one of these kinds, or the check has failed.
fn expect(what: &str, got: Result<Resolved>, kinds: &[ErrorKind]) -> Result<Error, Stop> {
    match got {
        Err(error) if kinds.contains(&error.kind()) => Ok(error),
        Err(error) => failed(format!("{what}: expected {kinds:?}, got {:?}: {error}", error.kind())),
        Ok(resolved) => failed(format!("{what}: it found {resolved:?}")),
    }
}

/// However a reference is written, it finds the same.
pub(crate) async fn every_form_of_a_reference_finds_it(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let placed = placed(&*world, ResourceType::Ingress, "kit-forms").await?;
    let provider = built(&*world)?;
    for reference in &placed.references {
        let resolved = fine(&reference.to_string(), resolve(&*world, &*provider, reference).await?)?;
        let found = &resolved.resource;
        let right = found.id == placed.id && found.name == "kit-forms" && found.kind == ResourceType::Ingress;
        ensure!(right, "{reference}: found {found:?}, expected the id {}", placed.id);
    }
    Ok(())
}

pub(crate) async fn every_type_of_resource_is_found(subject: &dyn Subject) -> Verdict {
    let mut reasons = Vec::new();
    for kind in ResourceType::ALL {
        let world = subject.world().await;
        let placed = match world.resources()?.place(&Placing::new(kind, "kit-kind", &[])).await {
            Ok(placed) => placed,
            Err(cannot) => {
                reasons.push(cannot.to_string());
                continue;
            }
        };
        let provider = built(&*world)?;
        for reference in &placed.references {
            let resolved = fine(&reference.to_string(), resolve(&*world, &*provider, reference).await?)?;
            ensure!(resolved.resource.kind == kind, "{reference}: found {:?}", resolved.resource);
        }
    }
    if reasons.len() == ResourceType::ALL.len() { skipped(reasons.swap_remove(0)) } else { Ok(()) }
}

/// The first URL is the preferred one, so their order is part of the answer.
pub(crate) async fn urls_come_in_their_order(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let placed = placed(&*world, ResourceType::Ingress, "kit-urls").await?;
    let provider = built(&*world)?;
    let resolved = fine("resolve", resolve(&*world, &*provider, &placed.references[0]).await?)?;
    let got = &resolved.resource.urls;
    ensure!(got[..] == URLS, "expected {URLS:?}, got {got:?}");
    Ok(())
}

fn renamed(reference: &Reference, to: &str) -> Option<Reference> {
    let text = reference.to_string();
    let (ResourceKey::Name(last) | ResourceKey::Id(last)) = reference.key();
    format!("{}{to}", text.strip_suffix(last.as_str())?).parse().ok()
}

/// That there is nothing is certain, so it is not Unavailable.
pub(crate) async fn what_is_not_there_is_not_found(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let placed = placed(&*world, ResourceType::Ingress, "kit-there").await?;
    let provider = built(&*world)?;
    for unknown in placed.references.iter().filter_map(|reference| renamed(reference, "kit-nowhere")) {
        expect(&unknown.to_string(), resolve(&*world, &*provider, &unknown).await?, &[ErrorKind::NotFound])?;
    }
    Ok(())
}

/// A reference that names a type finds nothing of another type.
pub(crate) async fn another_type_is_not_found(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let placed = placed(&*world, ResourceType::Ingress, "kit-typed").await?;
    let provider = built(&*world)?;
    let typed = placed.references.iter().filter(|reference| reference.resource_type().is_some());
    let mut tried = 0;
    for reference in typed {
        let Ok(other) = reference.to_string().replacen(".ingress.", ".backend.", 1).parse() else { continue };
        expect(&format!("{other}"), resolve(&*world, &*provider, &other).await?, &[ErrorKind::NotFound])?;
        tried += 1;
    }
    if tried == 0 { skipped("no reference names a type") } else { Ok(()) }
}

/// A name that others begin with is not theirs.
pub(crate) async fn a_longer_name_is_another(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let long = placed(&*world, ResourceType::Ingress, "kit-api-old").await?;
    let short = placed(&*world, ResourceType::Ingress, "kit-api").await?;
    let provider = built(&*world)?;
    for placed in [&short, &long] {
        for reference in &placed.references {
            let resolved = fine(&reference.to_string(), resolve(&*world, &*provider, reference).await?)?;
            ensure!(resolved.resource.id == placed.id, "{reference}: found {:?}", resolved.resource);
        }
    }
    Ok(())
}

/// What another provider is to resolve is not answered here, whatever has that name here.
pub(crate) async fn a_reference_to_another_provider_finds_nothing(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let placed = placed(&*world, ResourceType::Ingress, "kit-own").await?;
    let provider = built(&*world)?;
    for reference in &placed.references {
        let text = reference.to_string();
        let Some((_, rest)) = text.split_once('.') else { continue };
        let Ok(foreign) = format!("another-provider.{rest}").parse::<Reference>() else { continue };
        let kinds = [ErrorKind::Invalid, ErrorKind::NotFound];
        expect(&foreign.to_string(), resolve(&*world, &*provider, &foreign).await?, &kinds)?;
    }
    Ok(())
}

pub(crate) async fn what_is_not_permitted_is_denied(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let wanted = Placing { private: true, ..Placing::new(ResourceType::Ingress, "kit-private", &URLS) };
    let placed = world.resources()?.place(&wanted).await?;
    let provider = built(&*world)?;
    for reference in &placed.references {
        let got = resolve(&*world, &*provider, reference).await?;
        expect(&reference.to_string(), got, &[ErrorKind::Denied])?;
    }
    Ok(())
}

/// What is switched off is called so, or refused; it is never handed out as if it could be used.
pub(crate) async fn what_is_disabled_is_reported_so(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let wanted = Placing { enabled: false, ..Placing::new(ResourceType::Ingress, "kit-disabled", &URLS) };
    let placed = world.resources()?.place(&wanted).await?;
    let provider = built(&*world)?;
    for reference in &placed.references {
        match resolve(&*world, &*provider, reference).await? {
            Ok(resolved) if !resolved.resource.enabled => {}
            other => drop(expect(&reference.to_string(), other, &[ErrorKind::Denied])?),
        }
    }
    Ok(())
}

/// Longer than nothing, since the host would ask with every request; and not for ever.
pub(crate) async fn freshness_is_positive_and_bounded(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let placed = placed(&*world, ResourceType::Ingress, "kit-fresh").await?;
    let provider = built(&*world)?;
    let resolved = fine("resolve", resolve(&*world, &*provider, &placed.references[0]).await?)?;
    let week = Duration::from_secs(7 * 24 * 3600);
    match resolved.fresh {
        Freshness::For(time) => ensure!(!time.is_zero() && time <= week, "fresh for {time:?}"),
        Freshness::UntilReload => {}
    }
    Ok(())
}

/// Caching is the host's: what changes is seen when it is asked for again.
pub(crate) async fn nothing_is_kept_here(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let placed = placed(&*world, ResourceType::Ingress, "kit-moves").await?;
    let provider = built(&*world)?;
    world.resources()?.is_live()?;
    fine("resolve", resolve(&*world, &*provider, &placed.references[0]).await?)?;
    let moved = Placing::new(ResourceType::Ingress, "kit-moves", &["https://c.kit.example/r4"]);
    let moved = world.resources()?.place(&moved).await?;
    let resolved = fine("resolve", resolve(&*world, &*provider, &moved.references[0]).await?)?;
    let got = &resolved.resource.urls;
    ensure!(got[..] == ["https://c.kit.example/r4"], "it has moved, and is still found at {got:?}");
    Ok(())
}

/// That something was not there is not remembered either.
pub(crate) async fn what_was_missing_is_found_once_it_is_there(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let other = placed(&*world, ResourceType::Ingress, "kit-first").await?;
    let provider = built(&*world)?;
    world.resources()?.is_live()?;
    let named = other.references.iter().find(|reference| matches!(reference.key(), ResourceKey::Name(_)));
    let Some(later) = named.and_then(|reference| renamed(reference, "kit-later")) else {
        return skipped("no reference names a name");
    };
    expect(&later.to_string(), resolve(&*world, &*provider, &later).await?, &[ErrorKind::NotFound])?;
    let now = placed(&*world, ResourceType::Ingress, "kit-later").await?;
    let resolved = fine(&later.to_string(), resolve(&*world, &*provider, &later).await?)?;
    ensure!(resolved.resource.id == now.id, "found {:?}", resolved.resource);
    Ok(())
}

/// Different references at once: each gets its own answer.
pub(crate) async fn answers_at_once_are_not_mixed_up(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let mut all = Vec::new();
    for n in 0..12 {
        all.push(placed(&*world, ResourceType::Ingress, &format!("kit-crowd-{n}")).await?);
    }
    let provider = built(&*world)?;
    let mut resolving = JoinSet::new();
    for placed in all {
        let provider: Arc<dyn Provider> = Arc::clone(&provider);
        resolving.spawn(async move {
            let reference = &placed.references[0];
            let resolved = ability(provider.resolver(), "resolver")?.resolve(reference).await;
            let found = fine(&reference.to_string(), resolved)?.resource;
            ensure!(found.id == placed.id, "{reference} at once with others: found {found:?}");
            Ok(())
        });
    }
    within(&*world, resolving.join_all()).await?.into_iter().collect()
}
