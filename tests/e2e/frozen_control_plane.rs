//! A control plane over HTTP/2 whose connection freezes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use harmony_tests::{Http2Server, Identity, Reply};
use provider_api::testkit::{TurnedClock, context};
use provider_api::{BuildContext, Pending, Provider, ProviderFactory as _, ProviderName, Result, Secret};
use provider_runbeam::{Deadlines, Environment, RunbeamFactory};
use serde_json::json;

/// A response to discovery and to the list of changes.
const NOTHING_NEW: &str = r#"{ "base_url": "/", "data": [] }"#;

/// The time for one call. It is shorter than the deadlines of a request, so only a ping can end that of the frozen connection.
const LIMIT: Duration = Duration::from_secs(120);

const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(60),
    read: Duration::from_secs(600),
    total: Duration::from_secs(600),
    ping: Duration::from_secs(2),
};

fn provider(url: &str) -> Arc<dyn Provider> {
    let token =
        json!({ "machine_token": "token", "expires_at": "2099-01-01T00:00:00Z", "gateway_id": "01GATEWAY" });
    let environment = Environment {
        machine_token: Some(Secret::new(token.to_string())),
        accept_invalid_certs: true,
        ..Environment::default()
    };
    let name: ProviderName = "runbeam".parse().unwrap();
    let home = PathBuf::from("/nonexistent");
    let context = BuildContext { state_dir: home, ..context(&name, &TurnedClock::new()) };
    let settings = toml::from_str(&format!("api = \"{url}\"\naccept_invalid_certs = true\n")).unwrap();
    RunbeamFactory::new(environment).with_deadlines(DEADLINES).build(context, settings).unwrap()
}

async fn pending(provider: &Arc<dyn Provider>) -> Result<Pending> {
    let pending = provider.source().unwrap().pending();
    tokio::time::timeout(LIMIT, pending).await.expect("long before the deadlines")
}

/// Without pings, each call would wait for its deadline on the same connection, until the system gives that up.
#[tokio::test]
async fn a_frozen_connection_is_replaced() {
    let identity = Identity::new();
    // Discovery and one list, then nothing.
    let server = Http2Server::start(&identity, |connection, request| match (connection, request) {
        (0, 2..) => Reply::Freeze,
        _ => Reply::Json(NOTHING_NEW),
    })
    .await;
    let provider = provider(&server.url());
    pending(&provider).await.unwrap();
    assert_eq!(server.connections(), 1);
    // The request on the frozen connection may fail, or be repeated on the next one.
    let during = pending(&provider).await;
    pending(&provider).await.unwrap_or_else(|error| panic!("{error}, after {during:?}"));
    assert_eq!(server.connections(), 2, "after {during:?}");
}
