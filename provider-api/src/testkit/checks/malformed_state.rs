//! Checks of restoring damaged or foreign texts.

use serde_json::Value;

use super::saved_state::{SavedState, retention, run_call};
use crate::Provider;
use crate::testkit::call::CallResult;
use crate::testkit::catch_panic::catch_panic;
use crate::testkit::fixture::build_provider;
use crate::testkit::outcome::{CheckResult, failed};
use crate::testkit::{Subject, outcome::ensure};

/// The number of truncated texts.
const MAX_PREFIXES: usize = 60;

/// The number of texts with one huge number.
const MAX_NUMBERS: usize = 60;

/// Restores texts that are not valid saved state, and expects no panic.
async fn restore_malformed(provider: &dyn Provider, saved: &str) -> CheckResult {
    let retention = retention(provider)?;
    for text in malformed_texts(saved) {
        if let Err(panic) = catch_panic(async { retention.restore(&text) }).await {
            let start: String = text.chars().take(60).collect();
            return failed(format!("`restore` panicked on {start:?} ({} bytes): {panic}", text.len()));
        }
    }
    Ok(())
}

/// Returns texts that are empty, of another format, altered or truncated.
fn malformed_texts(saved: &str) -> Vec<String> {
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
    all.extend([format!("{saved}{saved}"), format!("{saved}}}"), format!("[{saved}]"), format!("{saved:?}")]);
    if let Ok(json) = serde_json::from_str::<Value>(saved) {
        all.extend(json_variants(&json));
    }
    let ends: Vec<usize> = saved.char_indices().map(|(at, _)| at).collect();
    let step = (ends.len() / MAX_PREFIXES).max(1);
    all.extend(ends.iter().step_by(step).chain(ends.last()).map(|&at| saved[..at].to_owned()));
    all
}

/// Returns variants of a JSON text: one field with another type, one huge number, all numbers huge.
fn json_variants(json: &Value) -> Vec<String> {
    let mut all = vec![with_huge_numbers(json.clone(), &mut |_| true).to_string()];
    let mut count = 0;
    with_huge_numbers(json.clone(), &mut |n| {
        count = n + 1;
        false
    });
    all.extend(
        (0..count.min(MAX_NUMBERS)).map(|one| with_huge_numbers(json.clone(), &mut |n| n == one).to_string()),
    );
    for (name, value) in json.as_object().into_iter().flatten() {
        for other in [Value::Null, Value::from(-1), Value::from(""), Value::from(vec![value.clone()])] {
            let mut json = json.clone();
            json[name.as_str()] = other;
            all.push(json.to_string());
        }
    }
    all
}

/// Replaces numbers by the largest one. `which` gets the index of a number and returns true to replace it.
fn with_huge_numbers(json: Value, which: &mut dyn FnMut(usize) -> bool) -> Value {
    fn replace(json: Value, before: &mut usize, which: &mut dyn FnMut(usize) -> bool) -> Value {
        match json {
            Value::Number(number) => {
                *before += 1;
                if which(*before - 1) { u64::MAX.into() } else { Value::Number(number) }
            }
            Value::Array(all) => all.into_iter().map(|value| replace(value, before, which)).collect(),
            Value::Object(all) => {
                all.into_iter().map(|(name, value)| (name, replace(value, before, which))).collect()
            }
            other => other,
        }
    }
    replace(json, &mut 0, which)
}

/// Checks that no text causes a panic: files get damaged, and other versions have other formats.
pub(crate) async fn no_text_makes_it_panic(subject: &dyn Subject) -> CheckResult {
    let state = SavedState::new(subject).await?;
    restore_malformed(&*state.provider, &state.saved).await?;
    state.world.retention()?.restart().await;
    restore_malformed(&*build_provider(&*state.world)?, &state.saved).await
}

pub(crate) async fn what_is_not_understood_takes_nothing_away(subject: &dyn Subject) -> CheckResult {
    let state = SavedState::new(subject).await?;
    restore_malformed(&*state.provider, &state.saved).await?;
    let saved = retention(&*state.provider)?.save();
    ensure!(saved.as_ref() == Some(&state.saved), "the saved state was {:?} and is {saved:?}", state.saved);
    state.cut_off().await?;
    match run_call(&*state.world, &state.call, &*state.provider).await? {
        CallResult::Correct => Ok(()),
        other => failed(format!("after malformed texts, the provider has lost its state: {other:?}")),
    }
}

/// Checks that a malformed text is not restored as an empty result: the provider fetches instead.
pub(crate) async fn what_is_not_understood_is_nothing(subject: &dyn Subject) -> CheckResult {
    let state = SavedState::new(subject).await?;
    state.world.retention()?.restart().await;
    let next = build_provider(&*state.world)?;
    restore_malformed(&*next, &state.saved).await?;
    match run_call(&*state.world, &state.call, &*next).await? {
        CallResult::Correct => Ok(()),
        other => failed(format!("after malformed texts, with a reachable control plane: {other:?}")),
    }
}
