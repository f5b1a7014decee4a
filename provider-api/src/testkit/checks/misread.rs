use serde_json::Value;

use super::recalled::{Learned, ask, retention};
use crate::Provider;
use crate::testkit::caught::caught;
use crate::testkit::question::Told;
use crate::testkit::stage::built;
use crate::testkit::verdict::{Verdict, failed};
use crate::testkit::{Subject, verdict::ensure};

/// How many beginnings of a text are tried.
const BEGINNINGS: usize = 60;

/// How many numbers in it are made larger than anything can be counted or dated with.
const NUMBERS: usize = 60;

/// Hands everything to it that `kept` is not.
async fn misread(provider: &dyn Provider, kept: &str) -> Verdict {
    let retention = retention(provider)?;
    for text in wrong(kept) {
        if let Err(panic) = caught(async { retention.restore(&text) }).await {
            let begin: String = text.chars().take(60).collect();
            return failed(format!("it panicked when it recalled {begin:?} ({} bytes): {panic}", text.len()));
        }
    }
    Ok(())
}

/// Texts that are nothing, something else, or not all of it.
fn wrong(kept: &str) -> Vec<String> {
    let garbage = [
        "",
        " ",
        "\0",
        "\u{feff}",
        "null",
        "0",
        "-1",
        "1e999",
        "\"\"",
        "[]",
        "{}",
        "[null]",
        "{\"\":",
        "<html><body>502</body></html>",
        "-----BEGIN",
        "ümlaut",
    ];
    let mut all: Vec<String> = garbage.map(str::to_owned).into();
    all.extend(["[".repeat(100_000), "{\"a\":".repeat(50_000), "x".repeat(1 << 20)]);
    all.extend([format!("{kept}{kept}"), format!("{kept}}}"), format!("[{kept}]"), format!("{kept:?}")]);
    if let Ok(form) = serde_json::from_str::<Value>(kept) {
        all.extend(forms(&form));
    }
    let cuts: Vec<usize> = kept.char_indices().map(|(at, _)| at).collect();
    let step = (cuts.len() / BEGINNINGS).max(1);
    all.extend(cuts.iter().step_by(step).chain(cuts.last()).map(|&at| kept[..at].to_owned()));
    all
}

/// Other forms: of another type at one place, and with one number, or all of them, beyond all bounds.
fn forms(form: &Value) -> Vec<String> {
    let mut all = vec![with_huge_numbers(form.clone(), &mut |_| true).to_string()];
    let mut count = 0;
    with_huge_numbers(form.clone(), &mut |n| {
        count = n + 1;
        false
    });
    all.extend(
        (0..count.min(NUMBERS)).map(|one| with_huge_numbers(form.clone(), &mut |n| n == one).to_string()),
    );
    for (name, value) in form.as_object().into_iter().flatten() {
        for other in [Value::Null, Value::from(-1), Value::from(""), Value::from(vec![value.clone()])] {
            let mut form = form.clone();
            form[name.as_str()] = other;
            all.push(form.to_string());
        }
    }
    all
}

/// `form` with the numbers replaced that `which` asks for, by how many came before.
fn with_huge_numbers(form: Value, which: &mut dyn FnMut(usize) -> bool) -> Value {
    fn of(form: Value, before: &mut usize, which: &mut dyn FnMut(usize) -> bool) -> Value {
        match form {
            Value::Number(number) => {
                *before += 1;
                if which(*before - 1) { u64::MAX.into() } else { Value::Number(number) }
            }
            Value::Array(all) => all.into_iter().map(|value| of(value, before, which)).collect(),
            Value::Object(all) => {
                all.into_iter().map(|(name, value)| (name, of(value, before, which))).collect()
            }
            other => other,
        }
    }
    of(form, &mut 0, which)
}

/// A disk gives back anything, and a former release kept another form.
pub(crate) async fn no_text_makes_it_panic(subject: &dyn Subject) -> Verdict {
    let learned = Learned::by(subject).await?;
    misread(&*learned.provider, &learned.kept).await?;
    learned.world.retention()?.restart().await;
    misread(&*built(&*learned.world)?, &learned.kept).await
}

pub(crate) async fn what_is_not_understood_takes_nothing_away(subject: &dyn Subject) -> Verdict {
    let learned = Learned::by(subject).await?;
    misread(&*learned.provider, &learned.kept).await?;
    let kept = retention(&*learned.provider)?.save();
    ensure!(kept.as_ref() == Some(&learned.kept), "it kept {:?}, and now {kept:?}", learned.kept);
    learned.away().await?;
    match ask(&*learned.world, &learned.question, &*learned.provider).await? {
        Told::Right => Ok(()),
        other => failed(format!("what it had learned is gone after texts that mean nothing: {other:?}")),
    }
}

/// It is no empty answer either: what is not known is asked for.
pub(crate) async fn what_is_not_understood_is_nothing(subject: &dyn Subject) -> Verdict {
    let learned = Learned::by(subject).await?;
    learned.world.retention()?.restart().await;
    let next = built(&*learned.world)?;
    misread(&*next, &learned.kept).await?;
    match ask(&*learned.world, &learned.question, &*next).await? {
        Told::Right => Ok(()),
        other => failed(format!("after texts that mean nothing, with the control plane there: {other:?}")),
    }
}
