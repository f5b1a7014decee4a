//! The whole story on one machine. `cargo run --bin demo -- --help` says which.

mod documents;
mod node;
mod story;
mod tell;
mod traffic;

use std::process::ExitCode;

use clap::Parser;
use harmony_tests::control_plane::ControlPlane;

use crate::story::Story;
use crate::tell::Teller;

/// Runs a control plane and two gateways of two teams on this machine, and shows what they do together.
///
/// Each step prints what happened and how long it took: the gateways are authorized, their configuration arrives, a
/// request goes from one team to the other with a token of the control plane, an edit is applied while traffic flows,
/// a broken one is rejected with its reason, and the primary provider is switched to Local and back. Then everything
/// stays up, with addresses to try, until Ctrl-C.
#[derive(Debug, Parser)]
#[command(
    name = "demo",
    version,
    after_help = "Exit codes:\n  0  every step did what it should\n  1  one did not; it is printed which, and why"
)]
struct Arguments {
    /// End after the last step instead of staying up
    #[arg(long)]
    once: bool,

    /// Where the control plane listens; any free port when that one is taken
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: std::net::SocketAddr,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let teller = Teller::new();
    match run(&arguments, &teller).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            teller.failed(&wrong);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments, teller: &Teller) -> Result<(), String> {
    let started = ControlPlane::builder().listen(arguments.listen).start().await;
    let cloud = match started {
        Ok(cloud) => cloud,
        Err(_) => {
            ControlPlane::builder().start().await.map_err(|wrong| format!("no control plane: {wrong}"))?
        }
    };
    let mut story = Story::new(&cloud, teller);
    let nodes = story.tell().await?;
    teller.done();
    if arguments.once {
        return Ok(());
    }
    teller.addresses(&cloud, &nodes);
    tokio::signal::ctrl_c().await.map_err(|wrong| wrong.to_string())
}
