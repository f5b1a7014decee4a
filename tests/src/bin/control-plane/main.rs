//! The development control plane as a program. `control-plane --help` teaches it.

mod arguments;
mod ask;

use std::process::ExitCode;

use clap::Parser as _;
use harmony_tests::control_plane::ControlPlane;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Arguments, Seed};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.ask {
        Some(question) => ask::ask(question).await.map(|answer| println!("{answer}")),
        None => run(&arguments).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("error: {wrong}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), String> {
    // Before anybody is told that it is up: whoever reads that may end it.
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        return Err("signals cannot be received".to_owned());
    };
    let mut builder = ControlPlane::builder().listen(arguments.listen);
    if let Some(data) = &arguments.data {
        builder = builder.data(data);
    }
    if !arguments.quiet {
        builder = builder.narrate();
    }
    let cloud =
        builder.start().await.map_err(|wrong| format!("cannot start at {}: {wrong}", arguments.listen))?;
    if let Some(Seed::Demo) = arguments.seed {
        cloud.team("radiology-dept");
        cloud.team("ai-analytics");
    }
    greet(cloud.url(), arguments.seed.is_some());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    cloud.stop().await;
    Ok(())
}

fn greet(url: &str, seeded: bool) {
    println!("The control plane listens at {url}");
    println!("  the page           {url}/");
    println!("  in config.toml     [provider.runbeam]");
    println!("                     api = \"{url}\"");
    if seeded {
        println!("  a user token       control-plane token --team radiology-dept --url {url}");
        println!(
            "  a machine token    control-plane authorize --team radiology-dept --code my-gateway --url {url}"
        );
    } else {
        println!("  teams to try       start with --seed demo");
    }
    println!("Ctrl-C ends it.");
}
