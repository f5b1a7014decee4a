use provider_api::{Error, Result};
use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::sync::OnceCell;

use crate::deadlines::Deadlines;

/// What one connection pool may be shared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PoolOptions {
    /// Take certificates that nobody vouches for.
    pub(crate) accept_invalid_certs: bool,
    /// Never through a proxy: what is on this machine is reached directly.
    pub(crate) direct: bool,
}

/// The connections to a control plane, made when the first is needed: the roots of the machine are read
/// from its disk then.
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
        let failed = "the HTTP client cannot be set up; are the root certificates of this machine readable?";
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
        // A redirect may lead anywhere, and the credential would go along.
        .redirect(Policy::none())
        .connect_timeout(deadlines.connect)
        .read_timeout(deadlines.read)
        .timeout(deadlines.total)
        .user_agent(concat!("harmony-provider-runbeam/", env!("CARGO_PKG_VERSION")));
    if options.accept_invalid_certs {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    if options.direct {
        builder = builder.no_proxy();
    }
    builder.build()
}
