//! The pool of HTTP connections.

use provider_api::{Error, Result};
use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::sync::OnceCell;

use crate::deadlines::Deadlines;

/// The options of a connection pool. Control planes with equal options share one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PoolOptions {
    /// Accepts certificates that do not verify. Development only.
    pub(crate) accept_invalid_certs: bool,
    /// Ignores the proxy of the environment: a proxy on another machine cannot reach the loopback of this one.
    pub(crate) no_proxy: bool,
}

/// A pool of connections to control planes. The client is created when it is first needed, since that reads the root
/// certificates from disk.
#[derive(Debug)]
pub(crate) struct Pool {
    options: PoolOptions,
    deadlines: Deadlines,
    client: OnceCell<Client>,
}

impl Pool {
    pub(crate) fn new(options: PoolOptions, deadlines: Deadlines) -> Self {
        Self { options, deadlines, client: OnceCell::new() }
    }

    pub(crate) fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    pub(crate) async fn client(&self) -> Result<&Client> {
        let (options, deadlines) = (self.options, self.deadlines);
        let failed =
            "cannot create the HTTP client; check that the root certificates of this machine are readable";
        self.client
            .get_or_try_init(|| async move {
                let built = tokio::task::spawn_blocking(move || build(options, deadlines)).await;
                built
                    .map_err(|e| Error::unavailable(failed).with_source(e))?
                    .map_err(|e| Error::unavailable(failed).with_source(e))
            })
            .await
    }
}

fn build(options: PoolOptions, deadlines: Deadlines) -> reqwest::Result<Client> {
    let mut builder = Client::builder()
        // A redirect may lead to another server, and the credential would be sent there.
        .redirect(Policy::none())
        .connect_timeout(deadlines.connect)
        .read_timeout(deadlines.read)
        .timeout(deadlines.total)
        // A shared connection that is dead without a word would fail every request on it, until the system gives it up.
        .http2_keep_alive_interval(deadlines.ping)
        .http2_keep_alive_timeout(deadlines.ping)
        .user_agent(concat!("harmony-provider-runbeam/", env!("CARGO_PKG_VERSION")));
    if options.accept_invalid_certs {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    if options.no_proxy {
        builder = builder.no_proxy();
    }
    builder.build()
}
