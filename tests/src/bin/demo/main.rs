//! The demo: a whole data mesh on one machine; see `cargo run -p harmony-tests --bin demo -- --help`.

mod documents;
mod node;
mod output;
mod steps;
mod traffic;

use std::process::ExitCode;

use clap::Parser;
use harmony_tests::control_plane::ControlPlane;

use crate::output::Output;
use crate::steps::Demo;

/// Runs a control plane and two gateways of two teams on this machine, and shows how they work together.
///
/// Each step prints its result and its duration: the gateways are authorized, their configuration arrives, a request
/// goes from one team to the other with a token of the control plane, an edit is applied under traffic, a broken edit
/// is rejected with the reason, and the primary provider is switched to Local and back. Then the gateways stay up, with
/// addresses to try, until Ctrl-C.
#[derive(Debug, Parser)]
#[command(
    name = "demo",
    version,
    after_help = "Exit codes:\n  0  every step succeeded\n  1  a step failed; the error is printed"
)]
struct Arguments {
    /// Exit after the last step instead of staying up
    #[arg(long)]
    once: bool,

    /// Address of the control plane; a free port if it is taken
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: std::net::SocketAddr,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new();
    match run(&arguments, &output).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.failed(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments, output: &Output) -> Result<(), String> {
    let started = ControlPlane::builder().listen(arguments.listen).start().await;
    let cloud = match started {
        Ok(cloud) => cloud,
        Err(_) => ControlPlane::builder()
            .start()
            .await
            .map_err(|error| format!("the control plane cannot start: {error}"))?,
    };
    let mut demo = Demo::new(&cloud, output);
    let nodes = demo.run().await?;
    output.done();
    if arguments.once {
        return Ok(());
    }
    output.addresses(&cloud, &nodes);
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())
}
