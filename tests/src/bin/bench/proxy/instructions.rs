//! The instructions of a request in user space, which other work on the machine does not change.

use std::process::{Output, Stdio};
use std::time::Duration;

use serde::Serialize;
use tokio::process::Command;
use tokio::time::Instant;

use super::client::Client;
use super::load::Load;
use super::scenarios::Scenario;
use super::target::Target;
use crate::Outcome;
use crate::process_tree::ProcessTree;

/// The duration of one measurement, in seconds, and of the load before it.
const SECONDS: &str = "1";
const WARM_UP: Duration = Duration::from_millis(300);

/// The instructions per request of each proxy in the main scenario, or the reason why they cannot be counted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Instructions {
    PerRequest(Vec<(&'static str, f64)>),
    Unavailable(String),
}

/// Counts the instructions of each proxy under load. Failures under load are added to `failures`.
pub(super) async fn measure(scenario: &Scenario<'_>, failures: &mut Vec<String>) -> Instructions {
    if let Err(reason) = perf(&["true"]).await {
        return Instructions::Unavailable(reason);
    }
    let mut rows = Vec::new();
    for target in &scenario.targets {
        match one(target, scenario).await {
            Ok(count) => rows.push((target.name, count)),
            Err(error) => failures.push(format!("instructions, {}: {error}", target.name)),
        }
    }
    Instructions::PerRequest(rows)
}

/// Counts the instructions of one target under load.
async fn one(target: &Target<'_>, scenario: &Scenario<'_>) -> Outcome<f64> {
    let Scenario { connections, streams, body, .. } = *scenario;
    let members = ProcessTree::of(target.process.id()).listed();
    let load = Load::start(Client::open_all(target, connections, streams, body).await?);
    tokio::time::sleep(WARM_UP).await;
    let (began, count) = (Instant::now(), load.count());
    let counted = perf(&["-p", &members, "sleep", SECONDS]).await;
    // perf counts for a second; its own start is not a part of that.
    let rate = (load.count() - count) / began.elapsed().as_secs_f64();
    load.finish().await?;
    Ok(counted? / rate)
}

/// Runs `perf stat` and returns the number of instructions in user space.
async fn perf(arguments: &[&str]) -> Outcome<f64> {
    let mut perf = Command::new("perf");
    perf.args(["stat", "-x", ",", "-e", "instructions:u"]).args(arguments);
    perf.stdin(Stdio::null()).env("LC_ALL", "C").kill_on_drop(true);
    let Output { stderr, .. } = perf.output().await.map_err(|error| format!("perf does not run: {error}"))?;
    let text = String::from_utf8_lossy(&stderr);
    let line = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
    // A count that is not possible is a line of fields, of which the first one says so.
    let reason = line.split(",,").next().unwrap_or_default();
    parse(&text).ok_or_else(|| format!("perf stat says: {reason}"))
}

/// Returns the number in the line of the event.
fn parse(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains("instructions"))?;
    line.split(',').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_perf_has_a_number_or_none() {
        assert_eq!(parse("123456,,instructions:u,1000,100.00,,\n"), Some(123_456.0));
        assert_eq!(parse("<not supported>,,instructions:u,0,100.00,,\n"), None);
        assert_eq!(parse("Error:\nNo permission\n"), None);
    }
}
