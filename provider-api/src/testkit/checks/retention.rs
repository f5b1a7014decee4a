use std::sync::Arc;
use std::time::Duration;

use super::recalled::{Learned, ask, retention};
use crate::testkit::question::{Question, Told};
use crate::testkit::stage::{built, within};
use crate::testkit::verdict::{Verdict, ensure, failed};
use crate::testkit::{Canary, Exchange, Subject};

/// A host keeps it after every edit, and hands it back before anything else is done.
pub(crate) async fn keeping_asks_nobody(subject: &dyn Subject) -> Verdict {
    let learned = Learned::by(subject).await?;
    let before = learned.world.asked()?;
    for _ in 0..20 {
        retention(&*learned.provider)?.save();
        retention(&*learned.provider)?.restore(&learned.kept);
        tokio::task::yield_now().await;
    }
    let asked = learned.world.asked()? - before;
    ensure!(asked == 0, "keeping and recalling asked {asked} times");
    Ok(())
}

pub(crate) async fn what_has_learned_nothing_keeps_nothing(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    world.retention()?;
    match retention(&*built(&*world)?)?.save() {
        None => Ok(()),
        Some(kept) => failed(format!("new, and never asked anything, it keeps {kept:?}")),
    }
}

/// It is compared, and a difference is written to the disk.
pub(crate) async fn it_is_the_same_while_nothing_was_learned(subject: &dyn Subject) -> Verdict {
    let learned = Learned::by(subject).await?;
    for _ in 0..20 {
        learned.world.pass(Duration::from_secs(7)).await;
        let kept = retention(&*learned.provider)?.save();
        ensure!(kept.as_ref() == Some(&learned.kept), "first {:?}, and then {kept:?}", learned.kept);
    }
    Ok(())
}

/// Credentials and tokens have places and ages of their own.
pub(crate) async fn what_is_kept_shows_no_secret(subject: &dyn Subject) -> Verdict {
    let Learned { world, provider, question, .. } = Learned::by(subject).await?;
    let mut tokens = Vec::new();
    if let Question::Verify { token, .. } = question {
        tokens.push(Canary::new("a token that was verified", token));
    }
    for exchange in Exchange::ALL {
        let Ok(question) = Question::prepare(&*world, exchange).await else { continue };
        let question = within(&*world, question.ready(&*provider, exchange)).await??;
        within(&*world, question.ask(&*provider)).await?;
        match (&question, provider.mesh_auth()) {
            (Question::Verify { token, .. }, _) => {
                tokens.push(Canary::new("a token that was verified", token.as_str()));
            }
            (Question::Issue { request }, Some(meshes)) => {
                if let Ok(issued) = within(&*world, meshes.issue(request)).await? {
                    tokens.push(Canary::new("a token that was issued", issued.token.expose()));
                }
            }
            _ => {}
        }
        let kept = retention(&*provider)?.save().unwrap_or_default();
        let canaries = world.canaries();
        let seen = canaries.iter().chain(&tokens).find(|canary| canary.is_in(&kept));
        ensure!(seen.is_none(), "after {exchange:?}, what is kept shows {seen:?}");
    }
    Ok(())
}

/// A start with the control plane away goes on with what was known before.
pub(crate) async fn what_was_kept_is_taken_back(subject: &dyn Subject) -> Verdict {
    let learned = Learned::by(subject).await?;
    learned.is_used("after a restart", &learned.kept).await.map(drop)
}

/// Or the second restart while the control plane is away would lose it.
pub(crate) async fn what_was_taken_back_is_kept_on(subject: &dyn Subject) -> Verdict {
    let learned = Learned::by(subject).await?;
    let next = learned.is_used("after a restart", &learned.kept).await?;
    let Some(again) = retention(&*next)?.save() else {
        return failed("what was taken back is not kept for the next restart");
    };
    learned.is_used("after two restarts", &again).await.map(drop)
}

/// Nor kept on, or it would be used when the configuration is changed back.
pub(crate) async fn what_was_kept_for_another_control_plane_is_not_used(subject: &dyn Subject) -> Verdict {
    let learned = Learned::by(subject).await?;
    let elsewhere = learned.world.retention()?.elsewhere()?;
    let before = retention(&*elsewhere)?.save();
    retention(&*elsewhere)?.restore(&learned.kept);
    let after = retention(&*elsewhere)?.save();
    ensure!(before == after, "it kept {before:?}, and then what is of another control plane: {after:?}");
    learned.away().await?;
    match ask(&*learned.world, &learned.question, &*elsewhere).await? {
        Told::Right => failed("it answers with what it learned from another control plane"),
        _ => Ok(()),
    }
}

pub(crate) async fn what_is_too_old_is_not_used(subject: &dyn Subject) -> Verdict {
    let mut learned = Learned::by(subject).await?;
    let lifetime = learned.world.retention()?.lifetime()?;
    learned.pass(lifetime + Duration::from_secs(120)).await?;
    let next = learned.recalled(&learned.kept).await?;
    learned.is_unknown("after its lifetime", &*next).await
}

/// Its age is that of what was learned, however often the process started since.
pub(crate) async fn what_was_taken_back_grows_no_younger(subject: &dyn Subject) -> Verdict {
    let mut learned = Learned::by(subject).await?;
    let half = learned.world.retention()?.lifetime()? / 2 + Duration::from_secs(120);
    learned.pass(half).await?;
    let next = learned.recalled(&learned.kept).await?;
    let Some(again) = retention(&*next)?.save() else {
        return failed("half as old as it may be, what was taken back is not kept on");
    };
    learned.pass(half).await?;
    let next = learned.recalled(&again).await?;
    learned.is_unknown("after its lifetime, with a restart in between", &*next).await
}

/// What was young enough when it was taken back is not used for ever.
pub(crate) async fn what_was_taken_back_has_an_end(subject: &dyn Subject) -> Verdict {
    let mut learned = Learned::by(subject).await?;
    let lifetime = learned.world.retention()?.lifetime()?;
    learned.pass(lifetime.saturating_sub(Duration::from_secs(600))).await?;
    let next = learned.recalled(&learned.kept).await?;
    learned.pass(Duration::from_secs(900)).await?;
    learned.is_unknown("taken back shortly before its end, and used after it", &*next).await
}

/// What a process has learned is newer than anything that is handed to it.
pub(crate) async fn what_was_learned_since_stays(subject: &dyn Subject) -> Verdict {
    let mut learned = Learned::by(subject).await?;
    if let Ok(meshes) = learned.world.meshes() {
        // Where keys are never replaced, what is kept shows it all the same.
        meshes.rotate().await.ok();
    }
    learned.pass(Duration::from_secs(90)).await?;
    let former = std::mem::take(&mut learned.kept);
    learned.world.retention()?.restart().await;
    let next = built(&*learned.world)?;
    let told = ask(&*learned.world, &learned.question, &*next).await?;
    ensure!(matches!(told, Told::Right), "after a restart, with the control plane there: {told:?}");
    let before = retention(&*next)?.save();
    retention(&*next)?.restore(&former);
    let after = retention(&*next)?.save();
    ensure!(before == after, "it had learned {before:?}, and recalls {after:?}");
    learned.provider = Arc::clone(&next);
    learned.away().await?;
    match ask(&*learned.world, &learned.question, &*next).await? {
        Told::Right => Ok(()),
        other => failed(format!("what it had learned is gone once something older is recalled: {other:?}")),
    }
}
