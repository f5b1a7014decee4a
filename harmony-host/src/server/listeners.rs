//! The set of listeners: bound when a configuration is prepared, opened at activation, drained when replaced.

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
use crate::storage::io_error::Explained;

use crate::server::bind::{self, BindError};
use crate::server::connection;

/// The maximum number of open connections, over all listeners. Further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 16_384;

/// The maximum number of open connections on the management network. They have a limit of their own, so that a flood
/// on the data plane cannot lock operators out.
const MANAGEMENT_CONNECTIONS: usize = 64;

/// The open listeners.
#[derive(Debug)]
pub(crate) struct Listeners {
    open: BTreeMap<SocketAddr, OpenListener>,
    permits: Arc<Semaphore>,
    management_permits: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

/// An open listener.
#[derive(Debug)]
struct OpenListener {
    spec: ListenerSpec,
    control: mpsc::Sender<Control>,
    /// A second handle to the socket, to change its options while it listens.
    socket: socket2::Socket,
}

/// A command to the task of a listener.
enum Control {
    /// Close the present connections once their requests in flight finish. New connections use the new settings.
    Drain,
}

/// Bound sockets that no task serves yet. Dropping them closes them.
pub(crate) struct Bound(Vec<(SocketAddr, TcpListener, socket2::Socket, ListenerSpec)>);

impl Bound {
    /// Returns the bound addresses, each with whether it uses TLS.
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
    /// Creates an empty set.
    pub(crate) fn new() -> Self {
        Self {
            open: BTreeMap::new(),
            permits: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            management_permits: Arc::new(Semaphore::new(MANAGEMENT_CONNECTIONS)),
            tasks: JoinSet::new(),
        }
    }

    /// Binds the addresses of `wanted` that are not open. Open listeners do not change.
    ///
    /// # Errors
    /// All addresses that could not be bound. The other new sockets are closed again.
    pub(crate) fn prepare(
        &self,
        wanted: &BTreeMap<SocketAddr, ListenerSpec>,
    ) -> Result<Bound, Vec<BindError>> {
        let (mut bound, mut errors) = (Vec::new(), Vec::new());
        for (address, spec) in wanted.iter().filter(|(address, _)| !self.open.contains_key(address)) {
            let overlapping = self
                .open
                .iter()
                .filter(|(open, _)| {
                    !wanted.contains_key(open) && crate::config::addresses::overlap(**open, *address)
                })
                .map(|(_, open)| &open.socket);
            match bind::bind(*address, overlapping) {
                Ok((listener, socket)) => bound.push((*address, listener, socket, spec.clone())),
                Err(error) => {
                    errors.push(BindError { address: *address, network: Arc::clone(&spec.network), error })
                }
            }
        }
        if errors.is_empty() { Ok(Bound(bound)) } else { Err(errors) }
    }

    /// Starts to serve prepared sockets.
    pub(crate) fn open<S: Service>(&mut self, bound: Bound, service: &Arc<S>) {
        for (address, listener, socket, spec) in bound.0 {
            let (control, inbox) = mpsc::channel(4);
            tracing::info!(%address, network = &*spec.network, tls = spec.tls.is_some(), "listening");
            let permits = if spec.management { &self.management_permits } else { &self.permits };
            let context =
                ListenerContext { address, spec: Arc::new(spec.clone()), service: Arc::clone(service) };
            self.tasks.spawn(listen(listener, context, Arc::clone(permits), inbox));
            self.open.insert(address, OpenListener { spec, control, socket });
        }
    }

    /// Closes the listeners that `wanted` does not have, and drains those whose TLS settings change. Returns at once;
    /// requests in flight finish.
    pub(crate) async fn retire(&mut self, wanted: &BTreeMap<SocketAddr, ListenerSpec>) {
        let removed: Vec<SocketAddr> =
            self.open.keys().filter(|a| !wanted.contains_key(a)).copied().collect();
        for address in removed {
            // This drops the control channel, which ends the task.
            self.open.remove(&address);
            tracing::info!(%address, "listener closed");
        }
        for (address, open) in &mut self.open {
            let Some(spec) = wanted.get(address) else { continue };
            // Only a change of TLS needs a drain, since requests look up the network by themselves: a cleartext
            // connection must not outlive the switch to TLS, nor a connection its replaced certificate.
            let tls = |spec: &ListenerSpec| spec.tls.as_ref().map(|tls| tls.digest);
            let tls_changed = tls(&open.spec) != tls(spec);
            open.spec = spec.clone();
            if tls_changed {
                let _ = open.control.send(Control::Drain).await;
            }
        }
        while self.tasks.try_join_next().is_some() {}
    }

    /// Closes all listeners. Returns their tasks, which end when the requests in flight have finished.
    pub(crate) fn close(&mut self) -> JoinSet<()> {
        self.open.clear();
        std::mem::take(&mut self.tasks)
    }
}

/// The wait after a failed accept. The usual reason is that no file descriptor is free, and a retry at once would
/// spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the control channel closes, then drains.
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
                let error = Explained(&error);
                tracing::warn!(%address, %error, "the listener could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None => break,
        }
    }
    // The operating system has completed the handshake of connections in the backlog. Closing the socket would reset
    // them, so they are served as well.
    while let Ok(Ok((stream, peer))) = tokio::time::timeout(Duration::ZERO, listener.accept()).await {
        tokio::spawn(connection::serve(stream, peer, context.clone(), graceful.watcher()));
    }
    drop(listener);
    graceful.shutdown().await;
    while draining.join_next().await.is_some() {}
}
