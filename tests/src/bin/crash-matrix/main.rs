//! Kills the real gateway at every step of a change, on every kind of network. `cargo run -p harmony-tests --bin
//! crash-matrix -- --help` says how.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use futures_util::StreamExt as _;
use harmony_tests::crash::{Outcome, matrix, run_all};
use tokio::time::Instant;

/// Ends the gateway's process at each step of a change, under everything that the network may do, and starts it again:
/// every change must end in one verdict, and what a request shows must agree with it.
///
/// A run puts a batch of changes at a control plane of its own, starts the gateway with one point armed, waits for its
/// death, starts it again and checks. One line is printed for each.
#[derive(Debug, Parser)]
#[command(
    name = "crash-matrix",
    version,
    after_help = "Exit codes:\n  0  every run ended as it must\n  1  one did not; it is printed which, and why"
)]
struct Arguments {
    /// Only runs whose name has this in it, such as `published:1` or `reversed`
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,

    /// Another order of the changes and other times at each point; 0 is what is written down
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// How many runs at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    jobs: usize,

    /// Where the logs of runs that failed go
    #[arg(long, value_name = "DIRECTORY", default_value = "target/crash-matrix")]
    logs: PathBuf,

    /// Print the names of the runs and end
    #[arg(long)]
    list: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut cases = matrix(arguments.seed);
    cases.retain(|case| case.to_string().contains(&arguments.filter));
    if arguments.list {
        cases.iter().for_each(|case| println!("{case}"));
        return ExitCode::SUCCESS;
    }
    let (start, runs) = (Instant::now(), cases.len());
    let mut failures = 0;
    let mut outcomes = std::pin::pin!(run_all(cases, arguments.jobs.max(1)));
    while let Some(outcome) = outcomes.next().await {
        tell(&outcome);
        if !outcome.wrong.is_empty() {
            failures += 1;
            keep(&arguments, &outcome);
        }
    }
    println!("{runs} runs, {failures} failures, {:.0} s", start.elapsed().as_secs_f64());
    if failures == 0 && runs > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(outcome: &Outcome) {
    let verdict = if outcome.wrong.is_empty() { "as it must" } else { "WRONG" };
    println!("{:<44} {:>5.1} s  {verdict}", outcome.case.to_string(), outcome.took.as_secs_f64());
    for why in &outcome.wrong {
        println!("    {why}");
    }
}

fn keep(arguments: &Arguments, outcome: &Outcome) {
    let name = outcome.case.to_string().replace([' ', ':'], "-");
    let path = arguments.logs.join(format!("{name}.log"));
    let text = format!("{}\n{}", outcome.wrong.join("\n"), outcome.log);
    let kept = std::fs::create_dir_all(&arguments.logs).and_then(|()| std::fs::write(&path, text));
    match kept {
        Ok(()) => println!("    log: {}", path.display()),
        Err(wrong) => println!("    its log cannot be kept: {wrong}"),
    }
}
