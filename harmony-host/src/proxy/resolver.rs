//! The resolver of the names of backends: asynchronous, so that a name server which is silent holds up nothing else.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hyper_util::client::legacy::connect::dns::Name;
use tokio::time::{Instant, timeout};
use tower_service::Service;

/// The deadline of one lookup, with all its attempts.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest time for which a name counts as unknown without asking again.
const MAX_UNKNOWN: Duration = Duration::from_secs(5);

/// The interval in which a change of the system's settings is noticed.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The system's settings.
const SETTINGS: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// Resolves names by the settings of the system, its hosts file included. Answers are used again for their time to live. A
/// clone shares them.
#[derive(Clone)]
pub(super) struct Resolver(Arc<Mutex<Option<Loaded>>>);

struct Loaded {
    resolver: Arc<TokioResolver>,
    /// The times of the last changes of the settings.
    changed: [Option<SystemTime>; 2],
    checked: Instant,
}

impl Resolver {
    /// Creates a resolver, which reads the settings at the first lookup.
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// Returns the resolver of the present settings.
    fn current(&self) -> io::Result<Arc<TokioResolver>> {
        let mut loaded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = loaded.as_ref().filter(|loaded| loaded.checked.elapsed() < CHECK_INTERVAL) {
            return Ok(Arc::clone(&loaded.resolver));
        }
        let changed = SETTINGS.map(|file| fs::metadata(file).and_then(|file| file.modified()).ok());
        if let Some(loaded) = loaded.as_mut().filter(|loaded| loaded.changed == changed) {
            loaded.checked = Instant::now();
            return Ok(Arc::clone(&loaded.resolver));
        }
        // Without settings the hosts file is what remains.
        let builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(%error, "the settings of the system's resolver cannot be read: {}", SETTINGS[0]);
            TokioResolver::builder_with_config(ResolverConfig::default(), TokioRuntimeProvider::default())
        });
        let resolver = Arc::new(built(builder)?);
        *loaded = Some(Loaded { resolver: Arc::clone(&resolver), changed, checked: Instant::now() });
        Ok(resolver)
    }
}

type Builder = hickory_resolver::ResolverBuilder<TokioRuntimeProvider>;

fn built(mut builder: Builder) -> io::Result<TokioResolver> {
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.negative_max_ttl = Some(MAX_UNKNOWN);
    builder.build().map_err(io::Error::other)
}

/// Resolves a name.
///
/// # Errors
/// The name is not known, or no name server answers in time.
async fn lookup(resolver: &TokioResolver, name: &str) -> io::Result<Vec<SocketAddr>> {
    let found = timeout(LOOKUP_TIMEOUT, resolver.lookup_ip(name)).await;
    let found = found.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no name server answers"))?;
    // The port is added by the caller.
    Ok(found.map_err(io::Error::other)?.iter().map(|address| SocketAddr::new(address, 0)).collect())
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.current();
        Box::pin(async move { Ok(lookup(&*resolver?, name.as_str()).await?.into_iter()) })
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
    use tokio::net::UdpSocket;

    use super::*;

    /// Returns a resolver that asks the name server at `port` of this machine.
    fn asking(port: u16) -> TokioResolver {
        let mut connection = ConnectionConfig::udp();
        connection.port = port;
        let server = NameServerConfig::new(IpAddr::V4(Ipv4Addr::LOCALHOST), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        built(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())).unwrap()
    }

    #[tokio::test]
    async fn localhost_is_known() {
        let found = Resolver::new().call("localhost".parse().unwrap()).await.unwrap();
        assert!(found.into_iter().all(|address| address.ip().is_loopback()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_name_server_is_an_error_in_time() {
        let silent = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
        let resolver = asking(silent.local_addr().unwrap().port());
        let start = Instant::now();
        assert!(lookup(&resolver, "backend.example.").await.is_err());
        assert!(start.elapsed() <= LOOKUP_TIMEOUT, "{:?}", start.elapsed());
    }

    /// The answers of a name server, with their time to live, are used again until it is over.
    #[tokio::test]
    async fn answers_are_used_for_their_time_to_live() {
        let server = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
        let port = server.local_addr().unwrap().port();
        let (sender, mut asked) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut query = [0; 512];
            while let Ok((size, peer)) = server.recv_from(&mut query).await {
                let question = &query[12..size];
                let end = question.iter().position(|byte| *byte == 0).unwrap() + 5;
                let is_v4 = question[end - 3] == 1;
                // Header (a response, one question), the question, and for A one answer of 1 s.
                let mut answer = [&query[..2], &[0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]].concat();
                answer.extend(&question[..end]);
                if is_v4 {
                    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 7]);
                }
                server.send_to(&answer, peer).await.unwrap();
                sender.send(is_v4).unwrap();
            }
        });
        let resolver = asking(port);
        let mut count = 0;
        for expected in [1, 1, 2] {
            if expected == 2 {
                tokio::time::sleep(Duration::from_millis(1100)).await;
            }
            let found = lookup(&resolver, "backend.example.").await.unwrap();
            assert_eq!(found, ["192.0.2.7:0".parse().unwrap()]);
            while let Ok(is_v4) = asked.try_recv() {
                count += usize::from(is_v4);
            }
            assert_eq!(count, expected, "asked for the address");
        }
    }
}
