//! The crash matrix: kills the real gateway at every step of a change, on every kind of network; see `cargo run -p
//! harmony-tests --bin crash-matrix -- --help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use futures_util::StreamExt as _;
use harmony_tests::crash::{Outcome, matrix, read_only, run_all};
use tokio::time::Instant;

/// Kills a gateway process at each step of a change, on every kind of network, and restarts it: every change must get
/// one verdict, and requests must show that the verdict is true.
///
/// Each run issues a batch of changes at its own control plane, starts the gateway with one failpoint, waits until the
/// process aborts, restarts it and checks the result. Each run prints one line.
#[derive(Debug, Parser)]
#[command(
    name = "crash-matrix",
    version,
    after_help = "Exit codes:\n  0  every run passed\n  1  a run failed; its problems are printed"
)]
struct Arguments {
    /// Only runs whose name contains this text, such as `published:1` or `reversed`
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,

    /// Seed of the order of changes and the occurrences of failpoints; 0 is the fixed order
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// Mount the configuration read-only, so that the changes are written to the overlay
    #[arg(long)]
    read_only: bool,

    /// Number of parallel runs
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    jobs: usize,

    /// Directory for the logs of failed runs
    #[arg(long, value_name = "DIRECTORY", default_value = "target/crash-matrix")]
    logs: PathBuf,

    /// Print the names of the runs and exit
    #[arg(long)]
    list: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut cases = matrix(arguments.seed);
    if arguments.read_only {
        cases = read_only(cases);
    }
    cases.retain(|case| case.to_string().contains(&arguments.filter));
    if arguments.list {
        cases.iter().for_each(|case| println!("{case}"));
        return ExitCode::SUCCESS;
    }
    let (start, runs) = (Instant::now(), cases.len());
    let mut failures = 0;
    let mut outcomes = std::pin::pin!(run_all(cases, arguments.jobs.max(1)));
    while let Some(outcome) = outcomes.next().await {
        report(&outcome);
        if !outcome.problems.is_empty() {
            failures += 1;
            save_log(&arguments, &outcome);
        }
    }
    let (run_noun, failure_noun) = (plural(runs, "run"), plural(failures, "failure"));
    println!("{runs} {run_noun}, {failures} {failure_noun}, {:.0} s", start.elapsed().as_secs_f64());
    if failures == 0 && runs > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

fn report(outcome: &Outcome) {
    let verdict = if outcome.problems.is_empty() { "passed" } else { "FAILED" };
    println!("{:<44} {:>5.1} s  {verdict}", outcome.case.to_string(), outcome.duration.as_secs_f64());
    for problem in &outcome.problems {
        println!("    {problem}");
    }
}

fn save_log(arguments: &Arguments, outcome: &Outcome) {
    let name = outcome.case.to_string().replace([' ', ':'], "-");
    let path = arguments.logs.join(format!("{name}.log"));
    let text = format!("{}\n{}", outcome.problems.join("\n"), outcome.log);
    let saved = std::fs::create_dir_all(&arguments.logs).and_then(|()| std::fs::write(&path, text));
    match saved {
        Ok(()) => println!("    log: {}", path.display()),
        Err(error) => println!("    the log cannot be saved: {error}"),
    }
}
