//! Sockets: bound when a configuration is prepared, served when it is activated, drained when it is replaced.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::server::context::ListenerContext;
use crate::server::service::Service;
use crate::snapshot::ListenerSpec;

use crate::server::bind::{self, BindError};
use crate::server::connection;

/// How many connections may be open at a time, over all listeners. Further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 16_384;

/// How many of its own the network of the management API has, so that no crowd elsewhere locks it out.
const MANAGEMENT_CONNECTIONS: usize = 64;

/// The listeners that are open.
#[derive(Debug)]
pub(crate) struct Listeners {
    open: BTreeMap<SocketAddr, Open>,
    permits: Arc<Semaphore>,
    management_permits: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Open {
    spec: ListenerSpec,
    control: mpsc::Sender<Control>,
    /// A second handle of the socket, to change its options while it listens.
    socket: socket2::Socket,
}

/// What a listener is told.
enum Control {
    /// Let the connections so far finish what they are at; new ones are served in the new way.
    Drain,
}

/// Sockets that are bound and not served yet. Dropping them closes them.
pub(crate) struct Bound(Vec<(SocketAddr, TcpListener, socket2::Socket, ListenerSpec)>);

impl Bound {
    /// The addresses that will be new, and whether TLS is spoken there.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (SocketAddr, bool)> + '_ {
        self.0.iter().map(|(address, _, _, spec)| (*address, spec.tls.is_some()))
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.addresses()).finish()
    }
}

impl Listeners {
    pub(crate) fn new() -> Self {
        Self {
            open: BTreeMap::new(),
            permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            management_permits: Arc::new(Semaphore::new(MANAGEMENT_CONNECTIONS)),
            tasks: JoinSet::new(),
        }
    }

    /// Binds what `wanted` has and is not open. Nothing that is open is touched.
    ///
    /// # Errors
    /// Every address that could not be bound; nothing was kept.
    pub(crate) fn prepare(
        &self,
        wanted: &BTreeMap<SocketAddr, ListenerSpec>,
    ) -> Result<Bound, Vec<BindError>> {
        let (mut bound, mut errors) = (Vec::new(), Vec::new());
        for (address, spec) in wanted.iter().filter(|(address, _)| !self.open.contains_key(address)) {
            let in_the_way = self
                .open
                .iter()
                .filter(|(open, _)| {
                    !wanted.contains_key(open) && crate::config::addresses::overlap(**open, *address)
                })
                .map(|(_, open)| &open.socket);
            match bind::bind(*address, in_the_way) {
                Ok((listener, socket)) => bound.push((*address, listener, socket, spec.clone())),
                Err(error) => {
                    errors.push(BindError { address: *address, network: Arc::clone(&spec.network), error })
                }
            }
        }
        if errors.is_empty() { Ok(Bound(bound)) } else { Err(errors) }
    }

    /// Serves what was prepared, from the snapshot that is published.
    pub(crate) fn open<S: Service>(&mut self, bound: Bound, service: &Arc<S>) {
        for (address, listener, socket, spec) in bound.0 {
            let (control, inbox) = mpsc::channel(4);
            tracing::info!(%address, network = &*spec.network, tls = spec.tls.is_some(), "listening");
            let permits = if spec.management { &self.management_permits } else { &self.permits };
            let context =
                ListenerContext { address, spec: Arc::new(spec.clone()), service: Arc::clone(service) };
            self.tasks.spawn(listen(listener, context, Arc::clone(permits), inbox));
            self.open.insert(address, Open { spec, control, socket });
        }
    }

    /// Closes what `wanted` does not have, and drains what it wants otherwise. Returns at once; requests in
    /// flight finish.
    pub(crate) async fn retire(&mut self, wanted: &BTreeMap<SocketAddr, ListenerSpec>) {
        let gone: Vec<SocketAddr> = self.open.keys().filter(|a| !wanted.contains_key(a)).copied().collect();
        for address in gone {
            // The task ends when its control channel does.
            self.open.remove(&address);
            tracing::info!(%address, "closed");
        }
        for (address, open) in &mut self.open {
            let Some(spec) = wanted.get(address) else { continue };
            // A new name is looked up per request. What came in the clear must not stay where TLS is asked
            // for now, nor what trusted a certificate that was replaced.
            let tls = |spec: &ListenerSpec| spec.tls.as_ref().map(|tls| tls.digest);
            let differs = tls(&open.spec) != tls(spec);
            open.spec = spec.clone();
            if differs {
                let _ = open.control.send(Control::Drain).await;
            }
        }
        while self.tasks.try_join_next().is_some() {}
    }

    /// Closes everything. Returns the tasks that end when the requests in flight have finished.
    pub(crate) fn close(&mut self) -> JoinSet<()> {
        self.open.clear();
        std::mem::take(&mut self.tasks)
    }
}

/// How long to wait when the operating system has no more sockets to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

async fn listen<S: Service>(
    listener: TcpListener,
    context: ListenerContext<S>,
    permits: Arc<Semaphore>,
    mut inbox: mpsc::Receiver<Control>,
) {
    let address = context.address;
    let mut graceful = GracefulShutdown::new();
    let mut draining = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            control = inbox.recv() => match control {
                Some(Control::Drain) => {
                    draining.spawn(std::mem::take(&mut graceful).shutdown());
                    continue;
                }
                None => break,
            },
            accepted = async {
                let permit = Arc::clone(&permits).acquire_owned().await.ok()?;
                Some((listener.accept().await, permit))
            } => accepted,
        };
        while draining.try_join_next().is_some() {}
        match accepted {
            Some((Ok((stream, peer)), permit)) => {
                let serving = connection::serve(stream, peer, context.clone(), graceful.watcher());
                tokio::spawn(async move {
                    serving.await;
                    drop(permit);
                });
            }
            Some((Err(error), _)) => {
                tracing::warn!(%address, %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None => break,
        }
    }
    // Who was let in by the operating system before the socket closes is served as well.
    while let Ok(Ok((stream, peer))) = tokio::time::timeout(Duration::ZERO, listener.accept()).await {
        tokio::spawn(connection::serve(stream, peer, context.clone(), graceful.watcher()));
    }
    drop(listener);
    graceful.shutdown().await;
    while draining.join_next().await.is_some() {}
}
