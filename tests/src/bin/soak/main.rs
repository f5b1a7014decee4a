//! The soak test: a gateway under all faults at once; see `cargo run -p harmony-tests --bin soak -- --help`.

mod change;
mod check;
mod hostile;
mod inject_faults;
mod steady_client;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use harmony_tests::binary;
use tokio::time::Instant;

use crate::world::World;

/// Runs a real gateway against a control plane under random faults, and checks its promises.
///
/// Each round has two phases. In the first, valid and invalid changes arrive; the network between gateway and control
/// plane loses, repeats, reorders and delays messages; files are edited by hand; the disk fails now and then; and the
/// process is killed, by SIGKILL or at a random step of a change, and restarted. In the second phase, everything must
/// settle: each change has one verdict that is true of what is served, the files are what is served, no file is half
/// written, the protocol was not violated, and no request failed.
///
/// With --hostile, the real binary runs with 512 descriptors and a stderr that is closed, or that nobody reads, among
/// slow, silent, half-open and flooding clients, with a control plane that freezes, resets and sends nonsense, and with
/// backends that freeze, reset connections, go away and close idle connections. The requests of well-behaved clients
/// succeed; those to a backend that freezes or resets connections fail in time with 502 or 504. The management API answers
/// within a second, edits become live, and once the hostile clients have left, memory and descriptors are what they were:
/// 32 MiB and 24 descriptors more at most.
#[derive(Debug, Parser)]
#[command(
    name = "soak",
    version,
    after_help = "Exit codes:\n  0  no problems\n  1  problems were found; they are printed"
)]
struct Arguments {
    /// Duration in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, conflicts_with = "hostile")]
    seconds: u64,

    /// Hostile clients and few resources instead of kills and edits
    #[arg(long)]
    hostile: bool,

    /// Duration in minutes, of both variants of stderr together
    #[arg(long, value_name = "N", default_value_t = 10.0, requires = "hostile")]
    minutes: f64,

    /// The gateway, such as a release build; by default it is built as this program was
    #[arg(long, value_name = "FILE", requires = "hostile")]
    program: Option<PathBuf>,

    /// Seed of the random faults; by default another one each time
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { seconds, seed, hostile, minutes, program } = Arguments::parse();
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    if hostile {
        println!("seed {seed}, {minutes} min");
        let program = match program {
            Some(program) => program,
            None => tokio::task::spawn_blocking(binary).await.expect("the gateway can be built"),
        };
        return hostile::run(&program, minutes, seed).await;
    }
    println!("seed {seed}, {seconds} s");
    let (end, mut world) = (Instant::now() + Duration::from_secs(seconds), World::start(seed).await);
    let mut round = 0;
    while round == 0 || (Instant::now() < end && world.problems().is_empty()) {
        round += 1;
        inject_faults::run(&mut world).await;
        check::run(&mut world).await;
        println!("round {round}: {}", world.summary());
    }
    let problems = world.problems();
    for problem in &problems {
        println!("PROBLEM {problem}");
    }
    if !problems.is_empty() {
        println!("--- log of the gateway\n{}", world.log());
    }
    println!("rounds: {round}, {}; problems: {}", world.summary(), problems.len());
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
