//! The places for connections. When all are taken, the connection that is idle for the longest time gives way, or one whose
//! client is slow.

mod guests;
mod search;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::metrics::ListenerTraffic;
use crate::server::in_flight::{Activity, millis_since};
use crate::server::room::guests::{Guest, Guests, Listener, REGULAR_GRACE_MILLIS};

/// The wait before a full room is searched again for an idle connection, if none gave way.
const SEARCH_INTERVAL: Duration = Duration::from_millis(100);

/// The wait between the request to leave and the end of an idle connection. The operating system may have a request of it
/// that the runtime has not seen; the timer fires after the runtime has looked.
const LAST_CALL: Duration = Duration::from_millis(1);

/// The room for the connections of several listeners.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Shared>);

struct Shared {
    limit: usize,
    origin: Instant,
    state: Mutex<Guests>,
    /// Notified when a place becomes free.
    freed: Notify,
}

/// The entrance of one listener. The places that are kept for the listener are free for others when this is dropped.
pub(super) struct Entrance {
    room: Room,
    listener: u64,
    traffic: Arc<ListenerTraffic>,
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

    /// Opens an entrance for a listener with these counters.
    pub(super) fn entrance(&self, traffic: Arc<ListenerTraffic>) -> Entrance {
        let mut state = self.state();
        let listener = state.new_id();
        state.listeners.insert(listener, Listener::default());
        Entrance { room: self.clone(), listener, traffic }
    }

    /// Returns the number of requests in flight on all connections.
    pub(super) fn requests(&self) -> usize {
        self.state().guests().map(|guest| guest.activity.requests()).sum()
    }

    /// Ends the exchange whose client is the furthest behind, if there is one that can give way.
    pub(super) fn end_slowest(&self) {
        let slowest = self.state().slowest_exchange(self.now());
        if let Some(pace) = slowest {
            pace.end();
        }
    }

    fn state(&self) -> MutexGuard<'_, Guests> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        millis_since(self.0.origin)
    }
}

impl Entrance {
    /// Returns the counters of the listener.
    pub(super) fn traffic(&self) -> &ListenerTraffic {
        &self.traffic
    }

    /// Takes a place, and waits for one if all are taken. Cancel safe.
    pub(super) async fn enter(&self) -> Place {
        let _waiting = Waiting::new(&self.room);
        let arrival = self.room.now();
        loop {
            let mut wait = SEARCH_INTERVAL;
            let mut freed = std::pin::pin!(self.room.0.freed.notified());
            freed.as_mut().enable();
            {
                let mut state = self.room.state();
                if state.has_room(self.room.0.limit, self.listener) {
                    return self.place(&mut state);
                }
                let now = self.room.now();
                let is_urgent = now - arrival > REGULAR_GRACE_MILLIS;
                if state.leaving < state.waiting
                    && let Some(grace) = state.make_way(self.room.0.limit, self.listener, now, is_urgent)
                {
                    wait = grace.min(SEARCH_INTERVAL);
                }
            }
            let _ = timeout(wait, freed).await;
        }
    }

    fn place(&self, state: &mut Guests) -> Place {
        let activity = Arc::new(Activity::new(self.room.0.origin, Arc::clone(&self.traffic)));
        let (id, now) = (state.new_id(), self.room.now());
        let (key, told_to_leave) = (AtomicU64::new(now), Notify::new());
        let guest = Arc::new(Guest { id, listener: self.listener, key, activity, told_to_leave });
        state.newcomers.insert((now, id), Arc::clone(&guest));
        state.listeners.entry(self.listener).or_default().open += 1;
        Place { room: self.room.clone(), guest }
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
            Box::pin(tokio::time::sleep(LAST_CALL)).await;
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
        if state.newcomers.remove(&key).is_none() && state.regulars.remove(&key).is_none() {
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
