//! The development control plane as a program; see `control-plane --help`.

mod arguments;
mod client;

use std::process::ExitCode;

use clap::Parser as _;
use harmony_tests::control_plane::ControlPlane;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Arguments, Seed};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(command) => client::run(command).await.map(|answer| println!("{answer}")),
        None => run(&arguments).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), String> {
    // Before the first line of output: a script that reads it may send a signal at once.
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        return Err("signals cannot be received".to_owned());
    };
    let mut builder = ControlPlane::builder().listen(arguments.listen);
    if let Some(data) = &arguments.data {
        builder = builder.data(data);
    }
    if !arguments.quiet {
        builder = builder.print_requests();
    }
    let cloud =
        builder.start().await.map_err(|error| format!("cannot start at {}: {error}", arguments.listen))?;
    if let Some(Seed::Demo) = arguments.seed {
        cloud.team("radiology-dept");
        cloud.team("ai-analytics");
    }
    print_instructions(cloud.url(), arguments.seed.is_some());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    cloud.stop().await;
    Ok(())
}

fn print_instructions(url: &str, seeded: bool) {
    println!("The control plane listens at {url}");
    println!("  page               {url}/");
    println!("  config.toml        [provider.runbeam]");
    println!("                     api = \"{url}\"");
    if seeded {
        println!("  user token         control-plane token --team radiology-dept --url {url}");
        println!(
            "  machine token      control-plane authorize --team radiology-dept --code my-gateway --url {url}"
        );
    } else {
        println!("  example teams      start with --seed demo");
    }
    println!("Press Ctrl-C to stop.");
}
