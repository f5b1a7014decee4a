//! `embed-axum [config.toml]`: an axum application that embeds a Harmony host. The application listens and responds. The
//! host reads the configuration, syncs with a provider, and lets the application accept or reject each configuration.

mod answer;
mod application;
mod fault;
mod fhir;
mod table;

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::routing::any;
use harmony_host::{Host, HostOptions, Management, render};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    // A dependency may link ring in addition to aws-lc. With both linked, `rustls::ClientConfig::builder()` panics until
    // the process has installed one of them as the default.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = std::env::args().nth(1).unwrap_or_else(|| "gateway/config.toml".to_owned());
    let mut options = HostOptions::new(config, harmony_host::registry());
    options.default_provider = provider_api::ProviderName::local();
    options.activation_deadline = std::time::Duration::from_secs(2);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
    let application = application::Application { table: Default::default(), client };
    let host = Host::start(options, application.clone()).await.map_err(|rejection| {
        eprint!("{}", render(rejection.problems.sorted(), false));
        format!("the configuration was rejected ({})", rejection.class)
    })?;
    // The management API checks its clients by the address of the peer.
    let manage =
        any(|State(api): State<Management>, peer: ConnectInfo<SocketAddr>, ask: Request| async move {
            api.handle(peer.0, ask).await
        });
    let router = axum::Router::new()
        .route("/admin/{*path}", manage.clone())
        .route("/api/reload", manage)
        .with_state(Management::new(&host))
        .fallback_service(any(answer::answer).with_state(application));
    let address = table::address(&host.snapshot()).ok_or("the network `public` has no address")?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    eprintln!("ready at {address}");
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let stopped = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = tokio::signal::ctrl_c() => {} }
        // Stops the host first, so that no configuration changes while the requests in flight finish.
        host.clone().shut_down(std::time::Duration::from_secs(5)).await;
    };
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, router).with_graceful_shutdown(stopped).await?)
}
