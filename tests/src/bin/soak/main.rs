//! A gateway under everything at once, for as long as it is told to. `cargo run --bin soak -- --help` says what.

mod calm;
mod change;
mod steady;
mod storm;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::time::Instant;

use crate::world::World;

/// Lets a real gateway follow a control plane through random mishaps, and looks whether what it promises holds.
///
/// Storms and calms take turns. In a storm changes arrive, good ones and bad ones; the network between gateway and
/// control plane loses, repeats, reorders and delays; files are edited by hand; the disk refuses now and then; and the
/// process is killed, by SIGKILL or at a random step of a change, and started again. In the calm after it everything
/// must come to rest: each change has one verdict that is true of what is served, the files are what is served, nothing
/// is left half written, the protocol was kept, and requests were answered all along.
#[derive(Debug, Parser)]
#[command(
    name = "soak",
    version,
    after_help = "Exit codes:\n  0  nothing was wrong\n  1  something was; it is printed what"
)]
struct Arguments {
    /// How long, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    seconds: u64,

    /// What the mishaps are drawn from; another one each time when it is not given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { seconds, seed } = Arguments::parse();
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}, {seconds} s");
    let (end, mut world) = (Instant::now() + Duration::from_secs(seconds), World::begin(seed).await);
    let mut round = 0;
    while round == 0 || (Instant::now() < end && world.wrong().is_empty()) {
        round += 1;
        storm::rage(&mut world).await;
        calm::look(&mut world).await;
        println!("round {round}: {}", world.counted());
    }
    let wrong = world.wrong();
    for one in &wrong {
        println!("WRONG {one}");
    }
    if !wrong.is_empty() {
        println!("--- the log of the gateway\n{}", world.log());
    }
    println!("{round} rounds, {}; {} violations", world.counted(), wrong.len());
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
