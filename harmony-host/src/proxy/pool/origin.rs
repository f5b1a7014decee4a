//! An origin: a server, and the open connections to it.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::time::Instant;

use crate::proxy::pool::dial::{Dialed, Dialer};
use crate::proxy::pool::failure::Failure;
use crate::proxy::pool::http1::{Home, Http1};
use crate::proxy::pool::http2::Http2;
use crate::proxy::pool::server::{Key, Server};

/// The longest lifetime of an idle connection of HTTP/1, counted in sweeps; one of HTTP/2 ends with the first sweep after it. It
/// is shorter than that of common servers: when a server closes the connection first, a request that was just sent on it fails.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// The interval in which idle connections are looked at.
pub(super) const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The number of sweeps that an idle connection survives.
const IDLE_SWEEPS: u32 = (IDLE_TIMEOUT.as_secs() / SWEEP_INTERVAL.as_secs()) as u32;

/// The time without a connection after which an origin is forgotten.
const MEMORY: Duration = Duration::from_secs(450);

/// The most shared connections to one origin.
const MAX_SHARED: usize = 16;

/// The open connections to a server.
///
/// Idle connections of HTTP/1 lie in one of several stacks, by the thread that has put them there, so that threads rarely wait
/// for each other.
#[derive(Debug)]
pub(super) struct Origin {
    key: Key,
    idle: Box<[Mutex<Vec<Http1>>]>,
    idle_count: AtomicUsize,
    /// The number of sweeps, the clock of idle connections.
    sweeps: AtomicU32,
    max_idle: usize,
    shared: ArcSwap<Vec<Arc<Http2>>>,
    /// The version that the last connection has negotiated.
    version: AtomicU8,
    /// Held while a connection is opened that others may share, also when the request that needed it is gone. The failure of the
    /// last one that could not be opened.
    connecting: Arc<Connecting>,
    /// The number of connections that could not be opened.
    failures: AtomicUsize,
    used_at: Mutex<Instant>,
}

type Connecting = tokio::sync::Mutex<Option<Failure>>;

const UNKNOWN: u8 = 0;
const HTTP_1: u8 = 1;
const HTTP_2: u8 = 2;

/// A connection for one request.
pub(super) enum Taken {
    Http1(Http1),
    /// A shared one, with whether it served other requests before.
    Http2(Arc<Http2>, bool),
}

impl Taken {
    /// Returns true for a connection that is not new: the server may have closed it meanwhile.
    pub(super) fn is_kept(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.is_kept(),
            Self::Http2(_, is_kept) => *is_kept,
        }
    }
}

impl Origin {
    pub(super) fn new(key: Key, max_idle: usize) -> Self {
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(16);
        Self {
            // A server without TLS is asked over HTTP/1.1 only.
            version: AtomicU8::new(if key.is_secure && !key.is_upgrade { UNKNOWN } else { HTTP_1 }),
            key,
            idle: std::iter::repeat_with(Mutex::default).take(count).collect(),
            idle_count: AtomicUsize::new(0),
            sweeps: AtomicU32::new(0),
            max_idle,
            shared: ArcSwap::default(),
            connecting: Arc::default(),
            failures: AtomicUsize::new(0),
            used_at: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Returns a connection for a request for which none was kept: a new one or, if `may_be_kept`, one that others have opened
    /// meanwhile. Cancel safe: a connection that was begun serves others.
    ///
    /// # Errors
    /// There is no place for a connection, or the server cannot be reached.
    pub(super) async fn open(
        self: &Arc<Self>,
        dialer: &Arc<Dialer>,
        server: &Server<'_>,
        may_be_kept: bool,
    ) -> Result<Taken, Failure> {
        if self.version.load(Ordering::Relaxed) == HTTP_1 {
            return self.dial(dialer, server).await;
        }
        let failures = self.failures.load(Ordering::Relaxed);
        let connecting = Arc::clone(&self.connecting).lock_owned().await;
        if may_be_kept && let Some(kept) = self.kept() {
            return Ok(kept);
        }
        if self.version.load(Ordering::Relaxed) == HTTP_1 {
            drop(connecting);
            return self.dial(dialer, server).await;
        }
        // This request has waited for a connection that could not be opened. Another attempt for each that waits would keep the
        // last ones waiting for very long.
        if self.failures.load(Ordering::Relaxed) != failures
            && let Some(failure) = &*connecting
        {
            return Err(failure.shared());
        }
        let fallback = self.least_busy();
        let dialed = self.dial_for_all(dialer, server, connecting).await;
        dialed.or_else(|failure| fallback.map(|connection| Taken::Http2(connection, true)).ok_or(failure))
    }

    /// Opens a connection for one request.
    async fn dial(&self, dialer: &Dialer, server: &Server<'_>) -> Result<Taken, Failure> {
        Ok(match dialer.dial(&self.key, server).await? {
            Dialed::Http1(connection) => Taken::Http1(connection),
            // The server speaks HTTP/2 since a moment ago.
            Dialed::Http2(connection) => self.share(connection),
        })
    }

    /// Opens a connection in a task of its own: that the request which needs it ends must not end it for those that wait.
    async fn dial_for_all(
        self: &Arc<Self>,
        dialer: &Arc<Dialer>,
        server: &Server<'_>,
        mut connecting: OwnedMutexGuard<Option<Failure>>,
    ) -> Result<Taken, Failure> {
        let (origin, key, config) = (Arc::clone(self), self.key.clone(), dialer.trust.config(server));
        let dialer = Arc::clone(dialer);
        let (sender, dialed) = oneshot::channel();
        tokio::spawn(async move {
            let dialed = dialer.dial_with(&key, config).await.map(|dialed| match dialed {
                Dialed::Http1(connection) => {
                    origin.version.store(HTTP_1, Ordering::Relaxed);
                    Taken::Http1(connection)
                }
                Dialed::Http2(connection) => origin.share(connection),
            });
            if let Err(failure) = &dialed {
                origin.failures.fetch_add(1, Ordering::Relaxed);
                *connecting = Some(failure.shared());
            }
            drop(connecting);
            if let Err(Ok(Taken::Http1(connection))) = sender.send(dialed) {
                // The request is gone.
                origin.keep(connection);
            }
        });
        dialed.await.unwrap_or_else(|error| Err(Failure::unreachable(error)))
    }

    /// Makes a new connection the first that others share.
    fn share(&self, connection: Http2) -> Taken {
        self.version.store(HTTP_2, Ordering::Relaxed);
        let connection = Arc::new(connection);
        self.shared.rcu(|all| {
            let open = all.iter().filter(|one| !one.is_retired()).cloned();
            std::iter::once(Arc::clone(&connection)).chain(open).collect::<Vec<_>>()
        });
        Taken::Http2(connection, false)
    }

    /// Returns an open connection that can take a request.
    pub(super) fn kept(&self) -> Option<Taken> {
        if self.version.load(Ordering::Relaxed) != HTTP_2
            && let Some(connection) = self.idle()
        {
            return Some(Taken::Http1(connection));
        }
        let all = self.shared.load();
        let open = all.iter().filter(|one| !one.is_retired());
        let found = open.clone().filter(|one| one.has_room()).min_by_key(|one| one.streams());
        let is_full = || open.clone().count() >= MAX_SHARED;
        let found = found.or_else(|| open.clone().min_by_key(|one| one.streams()).filter(|_| is_full()));
        Some(Taken::Http2(Arc::clone(found?), true))
    }

    fn least_busy(&self) -> Option<Arc<Http2>> {
        let all = self.shared.load();
        all.iter().filter(|one| !one.is_retired()).min_by_key(|one| one.streams()).cloned()
    }

    /// Returns an idle connection: the one that was used last, of this thread if there is one. Its first use shows whether the
    /// server has closed it.
    fn idle(&self) -> Option<Http1> {
        if self.idle_count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let own = own_stack(self.idle.len());
        for at in (own..self.idle.len()).chain(0..own) {
            let popped = self.stack(at).pop();
            if let Some(connection) = popped {
                self.idle_count.fetch_sub(1, Ordering::Relaxed);
                return Some(connection);
            }
        }
        None
    }

    /// Returns the number of idle connections of HTTP/1.
    pub(super) fn idle_count(&self) -> usize {
        self.idle_count.load(Ordering::Relaxed)
    }

    /// Closes the idle connection that was used longest ago, of the fullest stack. Returns false if there is none.
    pub(super) fn close_idle(&self) -> bool {
        let fullest = (0..self.idle.len()).max_by_key(|at| self.stack(*at).len());
        let Some(mut stack) = fullest.map(|at| self.stack(at)).filter(|stack| !stack.is_empty()) else {
            return false;
        };
        drop(stack.remove(0));
        self.idle_count.fetch_sub(1, Ordering::Relaxed);
        true
    }

    /// Closes the shared connections without a request. Returns false if there is none.
    pub(super) fn close_unused(&self) -> bool {
        let is_used = |one: &Arc<Http2>| one.streams() > 0;
        let has_unused = !self.shared.load().iter().all(is_used);
        if has_unused {
            self.shared.rcu(|all| all.iter().filter(|one| is_used(one)).cloned().collect::<Vec<_>>());
        }
        has_unused
    }

    /// Closes the connections that are idle for too long, or that the server has closed. Returns whether any is left, or the
    /// origin was used a short time ago.
    pub(super) fn sweep(&self) -> bool {
        let sweep = self.sweeps.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        for at in 0..self.idle.len() {
            let mut stack = self.stack(at);
            let before = stack.len();
            let is_young = |idle_since| sweep.wrapping_sub(idle_since) < IDLE_SWEEPS;
            stack.retain_mut(|connection| {
                connection.idle_since().is_none_or(is_young) && !connection.is_closed()
            });
            self.idle_count.fetch_sub(before - stack.len(), Ordering::Relaxed);
        }
        let is_open =
            |one: &Arc<Http2>| !one.is_retired() && one.idle_for().is_none_or(|idle| idle < IDLE_TIMEOUT);
        if !self.shared.load().iter().all(is_open) {
            self.shared.rcu(|all| all.iter().filter(|one| is_open(one)).cloned().collect::<Vec<_>>());
        }
        let has_connections = self.idle_count.load(Ordering::Relaxed) > 0 || !self.shared.load().is_empty();
        let mut used_at = self.used_at.lock().unwrap_or_else(PoisonError::into_inner);
        if has_connections {
            *used_at = Instant::now();
        }
        used_at.elapsed() < MEMORY
    }

    fn stack(&self, at: usize) -> MutexGuard<'_, Vec<Http1>> {
        self.idle[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Home for Origin {
    /// Keeps a connection that is ready for another request, or closes it if there are too many.
    fn keep(&self, mut connection: Http1) {
        if self.idle_count.fetch_add(1, Ordering::Relaxed) >= self.max_idle {
            self.idle_count.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        connection.note_idle(self.sweeps.load(Ordering::Relaxed));
        self.stack(own_stack(self.idle.len())).push(connection);
    }
}

/// Returns the stack of this thread, of `count` ones.
fn own_stack(count: usize) -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: usize = THREADS.fetch_add(1, Ordering::Relaxed));
    NUMBER.try_with(|number| number % count).unwrap_or_default()
}
