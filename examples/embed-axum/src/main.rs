//! `embed-axum [config.toml] [address]`

use std::sync::Arc;
use std::time::Duration;

use embed_axum::app;
use harmony_host::{Host, HostOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let config = arguments.next().unwrap_or_else(|| "gateway/config.toml".to_owned());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8085".to_owned());

    let host = Host::start(HostOptions::new(config, harmony_host::registry())).await;
    let host = Arc::new(host.map_err(|refusal| {
        let problems: Vec<String> = refusal.problems.errors().map(ToString::to_string).collect();
        problems.join("\n")
    })?);

    let mut snapshots = host.snapshots();
    tokio::spawn(async move {
        while let Some(snapshot) = snapshots.next().await {
            println!("serving generation {} of {}", snapshot.generation(), snapshot.config().proxy.id);
        }
    });

    let listener = tokio::net::TcpListener::bind(address).await?;
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, app(Arc::clone(&host))).with_graceful_shutdown(stop).await?;

    // Requests hold the host only while they run, so by now it is this one's alone.
    if let Some(host) = Arc::into_inner(host) {
        host.shut_down(Duration::from_secs(5)).await;
    }
    Ok(())
}
