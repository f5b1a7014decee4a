//! The resolver of the names of backends: asynchronous, so that a name server which is silent holds up nothing else.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
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

/// The files with the system's settings.
const SETTINGS: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// Resolves names by the settings of the system, its hosts file included. Answers are used again for their time to live. A
/// clone shares them.
#[derive(Clone)]
pub(super) struct Resolver(Arc<Inner>);

struct Inner {
    settings: Settings,
    loaded: Mutex<Option<Loaded>>,
}

/// The settings: the files in which a change is noticed, and the function that reads them.
struct Settings {
    files: [PathBuf; 2],
    read: Box<dyn Fn() -> io::Result<TokioResolver> + Send + Sync>,
}

struct Loaded {
    resolver: Arc<TokioResolver>,
    stamps: [Option<Stamp>; 2],
    checked: Instant,
}

/// The version of a file, as far as its file system tells. A file that replaces another one may be just as old.
#[derive(PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// Returns the version of a file; `None` if there is none.
    fn of(file: &Path) -> Option<Self> {
        let metadata = fs::metadata(file).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

impl Resolver {
    /// Creates a resolver, which reads the settings at the first lookup.
    pub(super) fn new() -> Self {
        Self::with(Settings { files: SETTINGS.map(PathBuf::from), read: Box::new(read_system) })
    }

    fn with(settings: Settings) -> Self {
        Self(Arc::new(Inner { settings, loaded: Mutex::default() }))
    }

    /// Returns the resolver of the present settings.
    fn current(&self) -> io::Result<Arc<TokioResolver>> {
        let Inner { settings, loaded } = &*self.0;
        let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = loaded.as_ref().filter(|loaded| loaded.checked.elapsed() < CHECK_INTERVAL) {
            return Ok(Arc::clone(&loaded.resolver));
        }
        let stamps = settings.files.each_ref().map(|file| Stamp::of(file));
        if let Some(loaded) = loaded.as_mut().filter(|loaded| loaded.stamps == stamps) {
            loaded.checked = Instant::now();
            return Ok(Arc::clone(&loaded.resolver));
        }
        let resolver = Arc::new((settings.read)()?);
        *loaded = Some(Loaded { resolver: Arc::clone(&resolver), stamps, checked: Instant::now() });
        Ok(resolver)
    }
}

/// Reads the settings of the system.
///
/// # Errors
/// The settings cannot be used.
fn read_system() -> io::Result<TokioResolver> {
    // Without settings the hosts file is what remains.
    let builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
        tracing::warn!(%error, "the settings of the system's resolver cannot be read: {}", SETTINGS[0]);
        TokioResolver::builder_with_config(ResolverConfig::default(), TokioRuntimeProvider::default())
    });
    built(builder)
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
mod tests;
