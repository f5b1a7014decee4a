//! The set of listeners: bound when a configuration is prepared, opened at activation, drained when replaced.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::diagnostics::throttle::Throttle;
use crate::server::bind::{self, BindError};
use crate::server::connection;
use crate::server::context::ListenerContext;
use crate::server::drain::{Deadline, Drainer};
use crate::server::room::{Entrance, Place, Room};
use crate::server::service::Service;
use crate::snapshot::ListenerSpec;
use crate::storage::io_error::Explained;

/// The maximum number of open connections on the management network. They have places of their own, so that a flood on the
/// data plane cannot lock operators out.
const MANAGEMENT_CONNECTIONS: usize = 64;

/// The open listeners.
#[derive(Debug)]
pub(crate) struct Listeners {
    open: BTreeMap<SocketAddr, OpenListener>,
    room: Room,
    management_room: Room,
    errors: Arc<Throttle>,
    deadline: Deadline,
    tasks: JoinSet<()>,
}

/// Listeners that close. Dropping it ends their connections.
#[derive(Debug)]
pub(crate) struct Closing {
    rooms: [Room; 2],
    deadline: Deadline,
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
    /// Creates an empty set for at most `connections` connections, besides those of the management network. When all are
    /// open, one that is idle, or whose client is slow, is closed for a new one.
    pub(crate) fn new(connections: usize) -> Self {
        Self {
            open: BTreeMap::new(),
            room: Room::new(connections),
            management_room: Room::new(MANAGEMENT_CONNECTIONS),
            errors: Arc::default(),
            deadline: Deadline::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Returns a function that ends the exchange whose client is the furthest behind, if there is one that can give way.
    pub(crate) fn make_way(&self) -> impl Fn() + Send + Sync + use<> {
        let room = self.room.clone();
        move || room.end_slowest()
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
            let room = if spec.management { &self.management_room } else { &self.room };
            let context =
                ListenerContext { address, spec: Arc::new(spec.clone()), service: Arc::clone(service) };
            let entrance = room.entrance(service.traffic().listener(address));
            let errors = Arc::clone(&self.errors);
            let door = Door { address, listener, entrance, errors, waiting: None };
            self.tasks.spawn(listen(door, context, self.deadline.receiver(), inbox));
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

    /// Returns the number of requests in flight.
    pub(crate) fn requests(&self) -> usize {
        self.room.requests() + self.management_room.requests()
    }

    /// Closes all listeners.
    pub(crate) fn close(&mut self) -> Closing {
        self.open.clear();
        Closing {
            rooms: [self.room.clone(), self.management_room.clone()],
            deadline: std::mem::replace(&mut self.deadline, Deadline::new()),
            tasks: std::mem::take(&mut self.tasks),
        }
    }
}

/// The time for connections to end once the deadline is over. It is only the time of a few polls.
const ENDING_TIME: Duration = Duration::from_secs(1);

/// The time between two log lines about the requests that a gateway waits for when it stops.
const COUNTED_EVERY: Duration = Duration::from_secs(5);

impl Closing {
    /// Waits until the requests in flight have finished, at most for `limit` and until `hurry` is ready, and then ends their
    /// connections. Returns the number of requests that did not finish.
    pub(crate) async fn finish(mut self, limit: Duration, hurry: impl Future<Output = ()>) -> usize {
        let rooms = self.rooms.clone();
        tokio::select! {
            biased;
            () = ended(&mut self.tasks) => return 0,
            () = hurry => {}
            () = tokio::time::sleep(limit) => {}
            () = count_often(&rooms) => {}
        }
        let in_flight = requests(&rooms);
        self.deadline.cut();
        let _ = timeout(ENDING_TIME, ended(&mut self.tasks)).await;
        in_flight
    }
}

fn requests(rooms: &[Room]) -> usize {
    rooms.iter().map(Room::requests).sum()
}

/// Logs the number of requests in flight from time to time. Never returns.
async fn count_often(rooms: &[Room]) {
    loop {
        tokio::time::sleep(COUNTED_EVERY).await;
        tracing::info!(in_flight = requests(rooms), "still waiting for requests in flight");
    }
}

async fn ended(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

/// The wait after a failed accept. The usual reason is that no file descriptor is free, and a retry at once would
/// spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The wait for a place, for connections that the operating system has accepted for a listener that closes.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// The socket of a listener, and the entrance to its places.
struct Door {
    address: SocketAddr,
    listener: TcpListener,
    entrance: Entrance,
    errors: Arc<Throttle>,
    /// A connection that waits for a place.
    waiting: Option<(TcpStream, SocketAddr)>,
}

impl Door {
    /// Returns the next connection. After a failed accept it waits, logs the error and returns `None`. Cancel safe.
    async fn next(&mut self) -> Option<(TcpStream, SocketAddr, Place)> {
        if self.waiting.is_none() {
            match self.listener.accept().await {
                Ok(accepted) => self.waiting = Some(accepted),
                Err(error) => {
                    self.entrance.traffic().failed_accepts.inc();
                    if let Some(unlogged) = self.errors.is_due() {
                        let (address, error) = (self.address, Explained(&error));
                        tracing::warn!(%address, %error, unlogged, "the listener could not accept a connection");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        let place = self.waiting.is_some().then(|| self.entrance.enter())?.await;
        self.waiting.take().map(|(stream, peer)| (stream, peer, place))
    }
}

/// Accepts connections until the control channel closes, then drains.
async fn listen<S: Service>(
    mut door: Door,
    context: ListenerContext<S>,
    cut: watch::Receiver<bool>,
    mut inbox: mpsc::Receiver<Control>,
) {
    let mut drainer = Drainer::new();
    let mut draining: Vec<Drainer> = Vec::new();
    loop {
        let next = tokio::select! {
            biased;
            control = inbox.recv() => match control {
                Some(Control::Drain) => {
                    drainer.start();
                    draining.retain(|drainer| !drainer.is_finished());
                    draining.push(std::mem::replace(&mut drainer, Drainer::new()));
                    continue;
                }
                None => break,
            },
            next = door.next() => next,
        };
        if let Some((stream, peer, place)) = next {
            tokio::spawn(connection::serve(stream, peer, context.clone(), place, drainer.drain(&cut)));
        }
    }
    // The operating system has completed the handshake of connections in the backlog. Closing the socket would reset
    // them, so they are served as well.
    loop {
        let is_waiting = door.waiting.is_some();
        let wait = if is_waiting { LAST_WAIT } else { Duration::ZERO };
        match timeout(wait, door.next()).await {
            Ok(Some((stream, peer, place))) => {
                tokio::spawn(connection::serve(stream, peer, context.clone(), place, drainer.drain(&cut)));
            }
            // A connection was accepted, and waits for a place.
            Err(_) if !is_waiting && door.waiting.is_some() => {}
            _ => break,
        }
    }
    drop(door);
    drainer.start();
    drainer.finished().await;
    for drainer in draining {
        drainer.finished().await;
    }
}
