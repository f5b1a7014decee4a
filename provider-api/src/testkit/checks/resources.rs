//! Checks of resolving references.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::changes::expect_ok;
use crate::testkit::fixture::{build_provider, require_ability, with_patience};
use crate::testkit::outcome::{CheckResult, Stop, ensure, failed, skipped};
use crate::testkit::{Placed, Placing, Subject, World};
use crate::{Error, ErrorKind, Freshness, Provider, Reference, Resolved, ResourceKey, ResourceType, Result};

const URLS: [&str; 2] = ["https://a.kit.example/r4", "https://b.kit.example/r4"];

async fn resolve(
    world: &dyn World,
    provider: &dyn Provider,
    reference: &Reference,
) -> Result<Result<Resolved>, Stop> {
    with_patience(world, require_ability(provider.resolver(), "resolver")?.resolve(reference)).await
}

async fn place(world: &dyn World, kind: ResourceType, name: &str) -> Result<Placed, Stop> {
    let placed = world.resources()?.place(&Placing::new(kind, name, &URLS)).await?;
    ensure!(!placed.references.is_empty(), "the world returned no reference to its resource");
    Ok(placed)
}

/// Expects an error of one of these kinds.
fn expect_error(what: &str, got: Result<Resolved>, kinds: &[ErrorKind]) -> Result<Error, Stop> {
    match got {
        Err(error) if kinds.contains(&error.kind()) => Ok(error),
        Err(error) => failed(format!("{what}: expected {kinds:?}, got {:?}: {error}", error.kind())),
        Ok(resolved) => failed(format!("{what}: expected {kinds:?}, got {resolved:?}")),
    }
}

/// Checks that all forms of a reference resolve to the same resource.
pub(crate) async fn every_form_of_a_reference_finds_it(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let placed = place(&*world, ResourceType::Ingress, "kit-forms").await?;
    let provider = build_provider(&*world)?;
    for reference in &placed.references {
        let resolved = expect_ok(&reference.to_string(), resolve(&*world, &*provider, reference).await?)?;
        let found = &resolved.resource;
        let right = found.id == placed.id && found.name == "kit-forms" && found.kind == ResourceType::Ingress;
        ensure!(right, "{reference}: found {found:?}, expected the id {}", placed.id);
    }
    Ok(())
}

pub(crate) async fn every_type_of_resource_is_found(subject: &dyn Subject) -> CheckResult {
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
        let provider = build_provider(&*world)?;
        for reference in &placed.references {
            let resolved = expect_ok(&reference.to_string(), resolve(&*world, &*provider, reference).await?)?;
            ensure!(resolved.resource.kind == kind, "{reference}: found {:?}", resolved.resource);
        }
    }
    if reasons.len() == ResourceType::ALL.len() { skipped(reasons.swap_remove(0)) } else { Ok(()) }
}

/// Checks the order of the URLs: the first one is the preferred one.
pub(crate) async fn urls_come_in_their_order(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let placed = place(&*world, ResourceType::Ingress, "kit-urls").await?;
    let provider = build_provider(&*world)?;
    let resolved = expect_ok("resolve", resolve(&*world, &*provider, &placed.references[0]).await?)?;
    let got = &resolved.resource.urls;
    ensure!(got[..] == URLS, "expected {URLS:?}, got {got:?}");
    Ok(())
}

fn with_last_segment(reference: &Reference, to: &str) -> Option<Reference> {
    let text = reference.to_string();
    let (ResourceKey::Name(last) | ResourceKey::Id(last)) = reference.key();
    format!("{}{to}", text.strip_suffix(last.as_str())?).parse().ok()
}

/// Checks that a missing resource is `NotFound`, not `Unavailable`: the result is certain.
pub(crate) async fn what_is_not_there_is_not_found(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let placed = place(&*world, ResourceType::Ingress, "kit-there").await?;
    let provider = build_provider(&*world)?;
    for unknown in
        placed.references.iter().filter_map(|reference| with_last_segment(reference, "kit-nowhere"))
    {
        expect_error(
            &unknown.to_string(),
            resolve(&*world, &*provider, &unknown).await?,
            &[ErrorKind::NotFound],
        )?;
    }
    Ok(())
}

/// Checks that a reference with a type does not resolve to a resource of another type.
pub(crate) async fn another_type_is_not_found(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let placed = place(&*world, ResourceType::Ingress, "kit-typed").await?;
    let provider = build_provider(&*world)?;
    let typed = placed.references.iter().filter(|reference| reference.resource_type().is_some());
    let mut tried = 0;
    for reference in typed {
        let Ok(other) = reference.to_string().replacen(".ingress.", ".backend.", 1).parse() else { continue };
        expect_error(
            &format!("{other}"),
            resolve(&*world, &*provider, &other).await?,
            &[ErrorKind::NotFound],
        )?;
        tried += 1;
    }
    if tried == 0 { skipped("no reference has a type") } else { Ok(()) }
}

/// Checks that names match as a whole, not as a prefix.
pub(crate) async fn a_longer_name_is_another(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let long = place(&*world, ResourceType::Ingress, "kit-api-old").await?;
    let short = place(&*world, ResourceType::Ingress, "kit-api").await?;
    let provider = build_provider(&*world)?;
    for placed in [&short, &long] {
        for reference in &placed.references {
            let resolved = expect_ok(&reference.to_string(), resolve(&*world, &*provider, reference).await?)?;
            ensure!(resolved.resource.id == placed.id, "{reference}: found {:?}", resolved.resource);
        }
    }
    Ok(())
}

/// Checks that a reference to another provider does not resolve here, even if a resource has that name.
pub(crate) async fn a_reference_to_another_provider_finds_nothing(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let placed = place(&*world, ResourceType::Ingress, "kit-own").await?;
    let provider = build_provider(&*world)?;
    for reference in &placed.references {
        let text = reference.to_string();
        let Some((_, rest)) = text.split_once('.') else { continue };
        let Ok(foreign) = format!("another-provider.{rest}").parse::<Reference>() else { continue };
        let kinds = [ErrorKind::Invalid, ErrorKind::NotFound];
        expect_error(&foreign.to_string(), resolve(&*world, &*provider, &foreign).await?, &kinds)?;
    }
    Ok(())
}

pub(crate) async fn what_is_not_permitted_is_denied(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let wanted = Placing { private: true, ..Placing::new(ResourceType::Ingress, "kit-private", &URLS) };
    let placed = world.resources()?.place(&wanted).await?;
    let provider = build_provider(&*world)?;
    for reference in &placed.references {
        let got = resolve(&*world, &*provider, reference).await?;
        expect_error(&reference.to_string(), got, &[ErrorKind::Denied])?;
    }
    Ok(())
}

/// Checks that a disabled resource is returned as disabled, or denied.
pub(crate) async fn what_is_disabled_is_reported_so(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let wanted = Placing { enabled: false, ..Placing::new(ResourceType::Ingress, "kit-disabled", &URLS) };
    let placed = world.resources()?.place(&wanted).await?;
    let provider = build_provider(&*world)?;
    for reference in &placed.references {
        match resolve(&*world, &*provider, reference).await? {
            Ok(resolved) if !resolved.resource.enabled => {}
            other => drop(expect_error(&reference.to_string(), other, &[ErrorKind::Denied])?),
        }
    }
    Ok(())
}

/// Checks the freshness: zero would mean a call per request, and endless freshness a stale route.
pub(crate) async fn freshness_is_positive_and_bounded(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let placed = place(&*world, ResourceType::Ingress, "kit-fresh").await?;
    let provider = build_provider(&*world)?;
    let resolved = expect_ok("resolve", resolve(&*world, &*provider, &placed.references[0]).await?)?;
    let week = Duration::from_secs(7 * 24 * 3600);
    match resolved.fresh {
        Freshness::For(time) => ensure!(
            !time.is_zero() && time <= week,
            "the freshness is {time:?}, expected more than zero and at most a week"
        ),
        Freshness::UntilReload => {}
    }
    Ok(())
}

/// Checks that the provider has no cache of its own: the host could not invalidate it.
pub(crate) async fn nothing_is_kept_here(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let placed = place(&*world, ResourceType::Ingress, "kit-moves").await?;
    let provider = build_provider(&*world)?;
    world.resources()?.is_live()?;
    expect_ok("resolve", resolve(&*world, &*provider, &placed.references[0]).await?)?;
    let moved = Placing::new(ResourceType::Ingress, "kit-moves", &["https://c.kit.example/r4"]);
    let moved = world.resources()?.place(&moved).await?;
    let resolved = expect_ok("resolve", resolve(&*world, &*provider, &moved.references[0]).await?)?;
    let got = &resolved.resource.urls;
    ensure!(got[..] == ["https://c.kit.example/r4"], "the resource has moved, but resolves to {got:?}");
    Ok(())
}

/// Checks that the provider does not cache `NotFound` either.
pub(crate) async fn what_was_missing_is_found_once_it_is_there(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let other = place(&*world, ResourceType::Ingress, "kit-first").await?;
    let provider = build_provider(&*world)?;
    world.resources()?.is_live()?;
    let named = other.references.iter().find(|reference| matches!(reference.key(), ResourceKey::Name(_)));
    let Some(later) = named.and_then(|reference| with_last_segment(reference, "kit-later")) else {
        return skipped("no reference contains a name");
    };
    expect_error(&later.to_string(), resolve(&*world, &*provider, &later).await?, &[ErrorKind::NotFound])?;
    let now = place(&*world, ResourceType::Ingress, "kit-later").await?;
    let resolved = expect_ok(&later.to_string(), resolve(&*world, &*provider, &later).await?)?;
    ensure!(resolved.resource.id == now.id, "expected the id {}, found {:?}", now.id, resolved.resource);
    Ok(())
}

/// Checks that concurrent calls return the resource of their reference.
pub(crate) async fn answers_at_once_are_not_mixed_up(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let mut all = Vec::new();
    for n in 0..12 {
        all.push(place(&*world, ResourceType::Ingress, &format!("kit-crowd-{n}")).await?);
    }
    let provider = build_provider(&*world)?;
    let mut resolving = JoinSet::new();
    for placed in all {
        let provider: Arc<dyn Provider> = Arc::clone(&provider);
        resolving.spawn(async move {
            let reference = &placed.references[0];
            let resolved = require_ability(provider.resolver(), "resolver")?.resolve(reference).await;
            let found = expect_ok(&reference.to_string(), resolved)?.resource;
            ensure!(found.id == placed.id, "{reference}, resolved concurrently: found {found:?}");
            Ok(())
        });
    }
    with_patience(&*world, resolving.join_all()).await?.into_iter().collect()
}
