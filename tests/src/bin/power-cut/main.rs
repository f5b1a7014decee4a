//! Power cuts: recovers every state that a power cut may leave of an apply; see `cargo run -p harmony-tests --features
//! failpoints --bin power-cut -- --help`.

use std::process::ExitCode;

use clap::Parser;
use harmony_tests::power_cut::{Scenario, run};
use tokio::time::Instant;

/// Records what applies of a real gateway write, and recovers every state that a power cut may leave of it: every prefix of
/// the operations, with what was not synced lost or torn. Each change must have one true verdict, or none yet and the old
/// files; no file may be half written, and no other file changed.
#[derive(Debug, Parser)]
#[command(
    name = "power-cut",
    version,
    after_help = "Exit codes:\n  0  every state was recovered\n  1  a state was not; its problems are printed"
)]
struct Arguments {
    /// Only this scenario, such as `replace`
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// Seed of the sample of states where there are too many
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (mut states, mut failures) = (0, 0);
    let is_chosen = |one: &Scenario| arguments.only.as_ref().is_none_or(|only| *only == one.to_string());
    for scenario in Scenario::ALL.into_iter().filter(is_chosen) {
        let start = Instant::now();
        match run(scenario, arguments.seed).await {
            Ok(outcome) => {
                states += outcome.states;
                failures += outcome.problems.len();
                println!(
                    "{scenario}: {} operations, {} states, {} problems, {:.1} s",
                    outcome.operations,
                    outcome.states,
                    outcome.problems.len(),
                    start.elapsed().as_secs_f64()
                );
                for (problem, (count, first)) in &outcome.problems {
                    println!("    {problem}\n      in {count} states, first {first}");
                }
            }
            Err(error) => {
                failures += 1;
                println!("{scenario}: {error}");
            }
        }
    }
    println!("{states} states tried, {failures} failures");
    if failures == 0 && states > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
