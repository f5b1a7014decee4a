//! The places for connections. When all are taken, the connection that is idle for the longest time gives way.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::server::in_flight::{Activity, millis_since};

/// The number of places that other listeners leave free for each listener, so that a flood on one of them does not close
/// the others. At most a quarter of all places is kept free this way.
const KEPT_PER_LISTENER: usize = 16;

/// The time for which a connection is not idle after it was accepted, or after its last request, in milliseconds. A client
/// that has just connected is about to send its request.
const GRACE_MILLIS: u64 = 100;

/// The wait before a full room is searched again for an idle connection, if none gave way.
const SEARCH_INTERVAL: Duration = Duration::from_millis(100);

/// The room for the connections of several listeners.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Shared>);

struct Shared {
    limit: usize,
    origin: Instant,
    state: Mutex<State>,
    /// Notified when a place becomes free.
    freed: Notify,
}

#[derive(Default)]
struct State {
    next_id: u64,
    /// The number of connections that wait for a place.
    waiting: usize,
    /// The number of connections that were told to give way and have not ended yet.
    leaving: usize,
    listeners: HashMap<u64, Listener>,
    /// The connections that were not told to give way. The key has a time in milliseconds, which is at most that of the
    /// last change to idle, and the id: an idle connection updates nothing here.
    by_idle_time: BTreeMap<(u64, u64), Arc<Guest>>,
}

/// A listener, and the number of its connections.
#[derive(Default)]
struct Listener {
    open: usize,
    /// Set when it accepts no more connections.
    closed: bool,
}

/// A connection with a place.
struct Guest {
    id: u64,
    listener: u64,
    /// The time in the key of this connection.
    key: AtomicU64,
    activity: Arc<Activity>,
    told_to_leave: Notify,
}

/// The entrance of one listener. The places that are kept for the listener are free for others when this is dropped.
pub(super) struct Entrance {
    room: Room,
    listener: u64,
}

/// The place of one connection. Dropping it frees the place.
pub(super) struct Place {
    room: Room,
    guest: Arc<Guest>,
}

impl Room {
    /// Creates a room with `limit` places.
    pub(super) fn new(limit: usize) -> Self {
        let (state, freed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Shared { limit, origin: Instant::now(), state, freed }))
    }

    /// Opens an entrance for a listener.
    pub(super) fn entrance(&self) -> Entrance {
        let mut state = self.state();
        let listener = state.new_id();
        state.listeners.insert(listener, Listener::default());
        Entrance { room: self.clone(), listener }
    }

    /// Returns the number of requests in flight on all connections.
    pub(super) fn requests(&self) -> usize {
        self.state().by_idle_time.values().map(|guest| guest.activity.requests()).sum()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        millis_since(self.0.origin)
    }
}

impl Entrance {
    /// Takes a place, and waits for one if all are taken. Cancel safe.
    pub(super) async fn enter(&self) -> Place {
        let _waiting = Waiting::new(&self.room);
        loop {
            let mut wait = SEARCH_INTERVAL;
            let mut freed = std::pin::pin!(self.room.0.freed.notified());
            freed.as_mut().enable();
            {
                let mut state = self.room.state();
                if state.has_room(self.room.0.limit, self.listener) {
                    return self.place(&mut state);
                }
                if state.leaving < state.waiting
                    && let Some(grace) =
                        state.tell_one_to_leave(self.room.0.limit, self.listener, self.room.now())
                {
                    wait = grace;
                }
            }
            let _ = timeout(wait, freed).await;
        }
    }

    fn place(&self, state: &mut State) -> Place {
        let activity = Arc::new(Activity::new(self.room.0.origin));
        let (id, now) = (state.new_id(), self.room.now());
        let (key, told_to_leave) = (AtomicU64::new(now), Notify::new());
        let guest = Arc::new(Guest { id, listener: self.listener, key, activity, told_to_leave });
        state.by_idle_time.insert((now, id), Arc::clone(&guest));
        state.listeners.entry(self.listener).or_default().open += 1;
        Place { room: self.room.clone(), guest }
    }
}

impl State {
    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Returns the number of places that are kept free for each listener.
    fn kept(&self, limit: usize) -> usize {
        let listening = self.listeners.values().filter(|listener| !listener.closed).count();
        KEPT_PER_LISTENER.min(limit / 4 / listening.max(1))
    }

    /// Returns true if a connection of `own` may take a place.
    fn has_room(&self, limit: usize, own: u64) -> bool {
        let kept = self.kept(limit);
        let taken: usize = self.listeners.values().map(|listener| listener.open).sum();
        let others = self.listeners.iter().filter(|(id, listener)| **id != own && !listener.closed);
        let kept_free: usize = others.map(|(_, listener)| kept.saturating_sub(listener.open)).sum();
        taken + kept_free < limit
    }

    /// Tells the connection that is idle for the longest time to give way to one of the listener `own`, if there is one.
    /// Returns the rest of its grace if it must not be told yet.
    fn tell_one_to_leave(&mut self, limit: usize, own: u64, now: u64) -> Option<Duration> {
        let mut grace = None;
        let kept = self.kept(limit);
        let mut passed = Vec::new();
        while let Some(((key, _), guest)) = self.by_idle_time.pop_first() {
            let open = self.listeners.get(&guest.listener).map_or(0, |listener| listener.open);
            match guest.activity.idle_since() {
                // It can be idle from now on at the earliest.
                None => passed.push((now, guest)),
                Some(since) if since > key => self.put(since, guest),
                Some(since) if guest.listener == own || open > kept => {
                    let end = since + GRACE_MILLIS;
                    if now < end {
                        grace = Some(Duration::from_millis(end - now));
                        passed.push((key, guest));
                        break;
                    }
                    self.leaving += 1;
                    guest.told_to_leave.notify_one();
                    break;
                }
                Some(_) => passed.push((key, guest)),
            }
        }
        for (key, guest) in passed {
            self.put(key, guest);
        }
        grace
    }

    fn put(&mut self, key: u64, guest: Arc<Guest>) {
        guest.key.store(key, Ordering::Relaxed);
        self.by_idle_time.insert((key, guest.id), guest);
    }
}

impl Place {
    /// Returns the activity of the connection.
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.guest.activity
    }

    /// Waits until this connection is told to give way while it is idle. Cancel safe.
    pub(super) async fn must_leave(&self) {
        loop {
            self.guest.told_to_leave.notified().await;
            if self.guest.activity.idle_since().is_some() {
                return;
            }
            // A request came in the meantime. Another connection is told if the place is still needed.
            let mut state = self.room.state();
            state.leaving -= 1;
            state.put(self.room.now(), Arc::clone(&self.guest));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let guest = &self.guest;
        let mut state = self.room.state();
        let key = (guest.key.load(Ordering::Relaxed), guest.id);
        if state.by_idle_time.remove(&key).is_none() {
            state.leaving -= 1;
        }
        if let Some(listener) = state.listeners.get_mut(&guest.listener) {
            listener.open -= 1;
            if listener.closed && listener.open == 0 {
                state.listeners.remove(&guest.listener);
            }
        }
        drop(state);
        self.room.0.freed.notify_waiters();
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        let mut state = self.room.state();
        if let Some(listener) = state.listeners.get_mut(&self.listener) {
            listener.closed = true;
            if listener.open == 0 {
                state.listeners.remove(&self.listener);
            }
        }
    }
}

/// A connection that waits for a place.
struct Waiting<'a>(&'a Room);

impl<'a> Waiting<'a> {
    fn new(room: &'a Room) -> Self {
        room.state().waiting += 1;
        Self(room)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
