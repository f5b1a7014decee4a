//! The connections with a place, and which of them gives way.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::http::pace::{PATIENCE, Pace};
use crate::server::in_flight::Activity;
use crate::server::room::search::Search;

/// The number of places that other listeners leave free for each listener, so that a flood on one of them does not close
/// the others. At most a quarter of all places is kept free this way.
const KEPT_PER_LISTENER: usize = 16;

/// The time for which a connection is not idle after it was accepted, or after its last request, in milliseconds. A client
/// that has just connected is about to send its request.
pub(super) const GRACE_MILLIS: u64 = 100;

/// The same for a connection that had requests before, while no other one has waited longer than this for a place: a client
/// that sends one request after the other is about to send the next.
pub(super) const REGULAR_GRACE_MILLIS: u64 = 1000;

/// The part of the places, as a divisor, that connections without any request so far can take from those that had some.
const NEWCOMERS_PART: usize = 4;

/// The connections of a room.
#[derive(Default)]
pub(super) struct Guests {
    next_id: u64,
    /// The number of connections that wait for a place.
    pub(super) waiting: usize,
    /// The number of connections that were told to give way and have not ended yet.
    pub(super) leaving: usize,
    pub(super) listeners: HashMap<u64, Listener>,
    /// The connections that were not told to give way: those that made no request so far or make none any more, and the
    /// others. One that makes its first request, or closes, is moved when it is met in a search.
    pub(super) newcomers: ByIdleTime,
    pub(super) regulars: ByIdleTime,
    slow_connections: Search<Arc<Guest>>,
    slow_exchanges: Search<Arc<Pace>>,
}

/// Connections. The key has a time in milliseconds, which is at most that of the last change to idle, and the id: an idle
/// connection updates nothing here.
type ByIdleTime = BTreeMap<(u64, u64), Arc<Guest>>;

/// A listener, and the number of its connections.
#[derive(Default)]
pub(super) struct Listener {
    pub(super) open: usize,
    /// Set when it accepts no more connections.
    pub(super) closed: bool,
}

/// A connection with a place.
pub(super) struct Guest {
    pub(super) id: u64,
    pub(super) listener: u64,
    /// The time in the key of this connection.
    pub(super) key: AtomicU64,
    pub(super) activity: Arc<Activity>,
    pub(super) told_to_leave: Notify,
}

impl Guests {
    pub(super) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Returns the number of places that are kept free for each listener.
    fn kept(&self, limit: usize) -> usize {
        let listening = self.listeners.values().filter(|listener| !listener.closed).count();
        KEPT_PER_LISTENER.min(limit / 4 / listening.max(1))
    }

    /// Returns true if a connection of `own` may take a place.
    pub(super) fn has_room(&self, limit: usize, own: u64) -> bool {
        let kept = self.kept(limit);
        let taken: usize = self.listeners.values().map(|listener| listener.open).sum();
        let others = self.listeners.iter().filter(|(id, listener)| **id != own && !listener.closed);
        let kept_free: usize = others.map(|(_, listener)| kept.saturating_sub(listener.open)).sum();
        taken + kept_free < limit
    }

    /// Tells a connection to give way to one of the listener `own`: the one that is idle for the longest time, or else the
    /// one whose client is the furthest behind. Returns the rest of a grace if none can be told before.
    ///
    /// Connections that made no request so far are told first. Beyond their part of the places, only they are: a flood of
    /// new connections displaces itself, not the clients that are served.
    pub(super) fn make_way(&mut self, limit: usize, own: u64, now: u64, is_urgent: bool) -> Option<Duration> {
        let grace = match self.tell_idle(Class::Newcomers, GRACE_MILLIS, limit, own, now) {
            Told::One => return None,
            Told::Nobody(grace) => grace,
        };
        let grace = if self.newcomers.len() > limit / NEWCOMERS_PART {
            grace
        } else {
            let regular_grace = if is_urgent { GRACE_MILLIS } else { REGULAR_GRACE_MILLIS };
            match self.tell_idle(Class::Regulars, regular_grace, limit, own, now) {
                Told::One => return None,
                Told::Nobody(other) => grace.into_iter().chain(other).min(),
            }
        };
        if let Some(guest) = self.slowest(limit, own, now) {
            guest.activity.end_slow_exchanges();
            return None;
        }
        grace
    }

    /// Tells the connection of a class that is idle for the longest time to give way, if that is longer than `grace`
    /// milliseconds.
    fn tell_idle(&mut self, class: Class, grace: u64, limit: usize, own: u64, now: u64) -> Told {
        let mut told = Told::Nobody(None);
        let kept = self.kept(limit);
        let mut passed = Vec::new();
        while let Some(((key, _), guest)) = self.of(class).pop_first() {
            match guest.activity.idle_since() {
                // It can be idle from now on at the earliest.
                None => passed.push((now, guest)),
                Some(since) if since > key => self.put(since, guest),
                Some(since) if can_leave(&self.listeners, &guest, own, kept) => {
                    let end = since + grace;
                    if now < end {
                        told = Told::Nobody(Some(Duration::from_millis(end - now)));
                        passed.push((key, guest));
                        break;
                    }
                    self.leaving += 1;
                    guest.told_to_leave.notify_one();
                    told = Told::One;
                    break;
                }
                Some(_) => passed.push((key, guest)),
            }
        }
        for (key, guest) in passed {
            self.put(key, guest);
        }
        told
    }

    /// Returns the connection whose client is the furthest behind in all of its exchanges.
    fn slowest(&mut self, limit: usize, own: u64, now: u64) -> Option<Arc<Guest>> {
        let kept = self.kept(limit);
        let (newcomers, regulars) = (&self.newcomers, &self.regulars);
        let slowest = self.slow_connections.next(now, || {
            let guests = newcomers.values().chain(regulars.values());
            let slow = guests.map(|guest| (guest.activity.behind(), Arc::clone(guest)));
            slow.filter(|(behind, _)| *behind >= PATIENCE).collect()
        });
        // The search serves the entrances of all listeners.
        slowest.filter(|guest| can_leave(&self.listeners, guest, own, kept))
    }

    /// Returns the exchange whose client is the furthest behind.
    pub(super) fn slowest_exchange(&mut self, now: u64) -> Option<Arc<Pace>> {
        let (newcomers, regulars) = (&self.newcomers, &self.regulars);
        self.slow_exchanges.next(now, || {
            let guests = newcomers.values().chain(regulars.values());
            guests
                .flat_map(|guest| guest.activity.slow_exchanges())
                .map(|pace| (pace.behind(), pace))
                .collect()
        })
    }

    /// Returns the connections that were not told to leave.
    pub(super) fn guests(&self) -> impl Iterator<Item = &Arc<Guest>> {
        self.newcomers.values().chain(self.regulars.values())
    }

    fn of(&mut self, class: Class) -> &mut ByIdleTime {
        match class {
            Class::Newcomers => &mut self.newcomers,
            Class::Regulars => &mut self.regulars,
        }
    }

    pub(super) fn put(&mut self, key: u64, guest: Arc<Guest>) {
        guest.key.store(key, Ordering::Relaxed);
        let class = if guest.activity.is_regular() { Class::Regulars } else { Class::Newcomers };
        self.of(class).insert((key, guest.id), guest);
    }
}

/// Returns whether a connection may have to leave for one of the listener `own`: a listener with few connections keeps them.
fn can_leave(listeners: &HashMap<u64, Listener>, guest: &Guest, own: u64, kept: usize) -> bool {
    let open = listeners.get(&guest.listener).map_or(0, |listener| listener.open);
    guest.listener == own || open > kept
}

/// The classes of connections: those without any request so far, and the others.
#[derive(Clone, Copy)]
enum Class {
    Newcomers,
    Regulars,
}

/// The result of a search for an idle connection.
enum Told {
    One,
    /// With the rest of the grace of the next one, if there is one.
    Nobody(Option<Duration>),
}
