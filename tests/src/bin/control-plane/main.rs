//! The development control plane as a program; see `control-plane --help`.

mod arguments;
mod client;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use harmony_tests::OfficialNames;
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
    if arguments.official_names.is_some() {
        builder = builder.external_url(OFFICIAL_URL);
    }
    let cloud =
        builder.start().await.map_err(|error| format!("cannot start at {}: {error}", arguments.listen))?;
    if let Some(Seed::Demo) = arguments.seed {
        cloud.team("radiology-dept");
        cloud.team("ai-analytics");
    }
    print_instructions(&format!("http://{}", cloud.address()), arguments.seed.is_some());
    let _names = match (arguments.official_names, &arguments.certificate) {
        (Some(listen), Some(certificate)) => Some(official_names(&cloud, listen, certificate).await?),
        _ => None,
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    cloud.stop().await;
    Ok(())
}

/// The name by which the control plane calls itself while it has the official ones: the default of the official command
/// line, which fetches keys from there.
const OFFICIAL_URL: &str = "http://app.runbeam.io";

async fn official_names(
    cloud: &ControlPlane,
    listen: SocketAddr,
    certificate: &Path,
) -> Result<OfficialNames, String> {
    let names = OfficialNames::start(listen, cloud.address())
        .await
        .map_err(|error| format!("cannot start at {listen}: {error}"))?;
    std::fs::write(certificate, names.certificate())
        .map_err(|error| format!("cannot write {}: {error}", certificate.display()))?;
    let (url, certificate) = (names.url(), certificate.display());
    println!("  official names     HTTPS_PROXY={url} HTTP_PROXY={url} SSL_CERT_FILE={certificate}");
    Ok(names)
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
