//! Checks of saving and restoring state.

use std::sync::Arc;
use std::time::Duration;

use super::saved_state::{SavedState, retention, run_call};
use crate::testkit::call::{Call, CallResult};
use crate::testkit::fixture::{build_provider, with_patience};
use crate::testkit::outcome::{CheckResult, counted, ensure, failed};
use crate::testkit::{Canary, Exchange, Subject};

/// Checks that saving and restoring send no request: a host does both while it builds a configuration.
pub(crate) async fn keeping_asks_nobody(subject: &dyn Subject) -> CheckResult {
    let state = SavedState::new(subject).await?;
    let before = state.world.asked()?;
    for _ in 0..20 {
        retention(&*state.provider)?.save();
        retention(&*state.provider)?.restore(&state.saved);
        tokio::task::yield_now().await;
    }
    let sent = state.world.asked()? - before;
    ensure!(sent == 0, "`save` and `restore` sent {}", counted(sent, "request"));
    Ok(())
}

pub(crate) async fn what_has_learned_nothing_keeps_nothing(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    world.retention()?;
    match retention(&*build_provider(&*world)?)?.save() {
        None => Ok(()),
        Some(saved) => failed(format!("a new provider without any call saves {saved:?}")),
    }
}

/// Checks that the saved text is stable: the host writes a file on every difference.
pub(crate) async fn it_is_the_same_while_nothing_was_learned(subject: &dyn Subject) -> CheckResult {
    let state = SavedState::new(subject).await?;
    for _ in 0..20 {
        state.world.pass(Duration::from_secs(7)).await;
        let saved = retention(&*state.provider)?.save();
        ensure!(
            saved.as_ref() == Some(&state.saved),
            "the saved state was {:?} and is {saved:?}",
            state.saved
        );
    }
    Ok(())
}

/// Checks that saved state contains no credential and no token.
pub(crate) async fn what_is_kept_shows_no_secret(subject: &dyn Subject) -> CheckResult {
    let SavedState { world, provider, call, .. } = SavedState::new(subject).await?;
    let mut tokens = Vec::new();
    if let Call::Verify { token, .. } = call {
        tokens.push(Canary::new("a token that was verified", token));
    }
    for exchange in Exchange::ALL {
        let Ok(call) = Call::prepare(&*world, exchange).await else { continue };
        let call = with_patience(&*world, call.complete(&*provider, exchange)).await??;
        with_patience(&*world, call.run(&*provider)).await?;
        match (&call, provider.mesh_auth()) {
            (Call::Verify { token, .. }, _) => {
                tokens.push(Canary::new("a token that was verified", token.as_str()));
            }
            (Call::Issue { request }, Some(meshes)) => {
                if let Ok(issued) = with_patience(&*world, meshes.issue(request)).await? {
                    tokens.push(Canary::new("a token that was issued", issued.token.expose()));
                }
            }
            _ => {}
        }
        let saved = retention(&*provider)?.save().unwrap_or_default();
        let canaries = world.canaries();
        let seen = canaries.iter().chain(&tokens).find(|canary| canary.is_in(&saved));
        ensure!(seen.is_none(), "after {exchange:?}, the saved state shows {seen:?}");
    }
    Ok(())
}

/// Checks that a start without the control plane works with restored state.
pub(crate) async fn what_was_kept_is_taken_back(subject: &dyn Subject) -> CheckResult {
    let state = SavedState::new(subject).await?;
    state.expect_restored("after a restart", &state.saved).await.map(drop)
}

/// Checks that restored state is saved again: otherwise the second restart would lose it.
pub(crate) async fn what_was_taken_back_is_kept_on(subject: &dyn Subject) -> CheckResult {
    let state = SavedState::new(subject).await?;
    let next = state.expect_restored("after a restart", &state.saved).await?;
    let Some(again) = retention(&*next)?.save() else {
        return failed("restored state is not saved again");
    };
    state.expect_restored("after two restarts", &again).await.map(drop)
}

/// Checks that state of another control plane is neither used nor saved again.
pub(crate) async fn what_was_kept_for_another_control_plane_is_not_used(
    subject: &dyn Subject,
) -> CheckResult {
    let state = SavedState::new(subject).await?;
    let elsewhere = state.world.retention()?.elsewhere()?;
    let before = retention(&*elsewhere)?.save();
    retention(&*elsewhere)?.restore(&state.saved);
    let after = retention(&*elsewhere)?.save();
    ensure!(
        before == after,
        "the saved state was {before:?}, and with state of another control plane it is {after:?}"
    );
    state.cut_off().await?;
    match run_call(&*state.world, &state.call, &*elsewhere).await? {
        CallResult::Correct => failed("the call works with state of another control plane"),
        _ => Ok(()),
    }
}

pub(crate) async fn what_is_too_old_is_not_used(subject: &dyn Subject) -> CheckResult {
    let mut state = SavedState::new(subject).await?;
    let lifetime = state.world.retention()?.lifetime()?;
    state.pass(lifetime + Duration::from_secs(120)).await?;
    let next = state.restored(&state.saved).await?;
    state.expect_unknown("after its lifetime", &*next).await
}

/// Checks that restarts do not reset the age of the state.
pub(crate) async fn what_was_taken_back_grows_no_younger(subject: &dyn Subject) -> CheckResult {
    let mut state = SavedState::new(subject).await?;
    let half = state.world.retention()?.lifetime()? / 2 + Duration::from_secs(120);
    state.pass(half).await?;
    let next = state.restored(&state.saved).await?;
    let Some(again) = retention(&*next)?.save() else {
        return failed("state within its lifetime is not saved again");
    };
    state.pass(half).await?;
    let next = state.restored(&again).await?;
    state.expect_unknown("after its lifetime, with a restart in between", &*next).await
}

/// Checks that restored state expires after the restart as well.
pub(crate) async fn what_was_taken_back_has_an_end(subject: &dyn Subject) -> CheckResult {
    let mut state = SavedState::new(subject).await?;
    let lifetime = state.world.retention()?.lifetime()?;
    state.pass(lifetime.saturating_sub(Duration::from_secs(600))).await?;
    let next = state.restored(&state.saved).await?;
    state.pass(Duration::from_secs(900)).await?;
    state.expect_unknown("restored shortly before its expiry, used after it", &*next).await
}

/// Checks that restoring does not replace state that this process has fetched: that is newer.
pub(crate) async fn what_was_learned_since_stays(subject: &dyn Subject) -> CheckResult {
    let mut state = SavedState::new(subject).await?;
    if let Ok(meshes) = state.world.meshes() {
        // Without rotation the keys are equal, but the saved states still differ in their age.
        meshes.rotate().await.ok();
    }
    state.pass(Duration::from_secs(90)).await?;
    let earlier = std::mem::take(&mut state.saved);
    state.world.retention()?.restart().await;
    let next = build_provider(&*state.world)?;
    let result = run_call(&*state.world, &state.call, &*next).await?;
    ensure!(
        matches!(result, CallResult::Correct),
        "after a restart, with a reachable control plane: {result:?}"
    );
    let before = retention(&*next)?.save();
    retention(&*next)?.restore(&earlier);
    let after = retention(&*next)?.save();
    ensure!(before == after, "the saved state was {before:?}, and after `restore` it is {after:?}");
    state.provider = Arc::clone(&next);
    state.cut_off().await?;
    match run_call(&*state.world, &state.call, &*next).await? {
        CallResult::Correct => Ok(()),
        other => failed(format!("after restoring older state, the provider has lost its own: {other:?}")),
    }
}
