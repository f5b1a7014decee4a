//! The traffic of listeners.

use crate::metrics::counter::{Counter, Sharded};
use crate::metrics::pipeline::{Class, ClassCounts, classes};

/// How a connection of a client has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The client or the gateway closed it after its requests.
    Closed,
    /// Idle, and its place was needed.
    Displaced,
    /// Slow, and its place was needed.
    Slow,
    /// Open although it had to finish: idle for too long, or of a listener that drained.
    Idle,
    /// The gateway stopped.
    Stopped,
    /// The TLS handshake failed.
    Tls,
    /// The client sent no valid HTTP.
    Malformed,
    /// Any other error, such as a reset.
    Failed,
}

impl Ending {
    /// All endings, in the order of their numbers.
    pub(crate) const ALL: [Self; 8] = [
        Self::Closed,
        Self::Displaced,
        Self::Slow,
        Self::Idle,
        Self::Stopped,
        Self::Tls,
        Self::Malformed,
        Self::Failed,
    ];

    /// Returns the value of the label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Displaced => "displaced",
            Self::Slow => "slow",
            Self::Idle => "idle",
            Self::Stopped => "stopped",
            Self::Tls => "tls",
            Self::Malformed => "malformed",
            Self::Failed => "failed",
        }
    }

    /// Returns the meaning, in one sentence.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Closed => "The client or the gateway closed it after its requests.",
            Self::Displaced => "It was idle, and its place was needed.",
            Self::Slow => "Its client was slow, and its place was needed.",
            Self::Idle => "It was idle for too long, or its listener was replaced.",
            Self::Stopped => "The gateway stopped.",
            Self::Tls => "The TLS handshake failed.",
            Self::Malformed => "The client sent no valid HTTP.",
            Self::Failed => "Any other error, such as a reset by the client.",
        }
    }

    /// Returns the meaning for the log.
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Closed => "it was closed",
            Self::Displaced => "its place is needed",
            Self::Slow => "its client is slow, and its place is needed",
            Self::Idle => "it stayed open although it had to finish",
            Self::Stopped => "the gateway stops",
            Self::Tls => "the TLS handshake failed",
            Self::Malformed => "its client sent no valid HTTP",
            Self::Failed => "it failed",
        }
    }
}

/// The connections of one listener, and their requests that belong to no route.
#[derive(Debug, Default)]
pub(crate) struct ListenerTraffic {
    counts: Sharded<ListenerCounts>,
    /// Connections that could not be accepted.
    pub(crate) failed_accepts: Counter,
}

#[derive(Debug, Default)]
struct ListenerCounts {
    accepted: Counter,
    ended: [Counter; Ending::ALL.len()],
    received: Counter,
    sent: Counter,
    begun: Counter,
    finished: Counter,
    /// Requests of no route, and those of the management API.
    unrouted: ClassCounts,
    management: ClassCounts,
}

impl ListenerTraffic {
    pub(crate) fn accept(&self) {
        self.counts.get().accepted.inc();
    }

    pub(crate) fn end(&self, ending: Ending) {
        if let Some(counter) = self.counts.get().ended.get(ending as usize) {
            counter.inc();
        }
    }

    pub(crate) fn receive(&self, bytes: usize) {
        self.counts.get().received.add(bytes as u64);
    }

    pub(crate) fn send(&self, bytes: usize) {
        self.counts.get().sent.add(bytes as u64);
    }

    /// Counts the begin of a request, or of a tunnel.
    pub(crate) fn begin(&self) {
        self.counts.get().begun.inc();
    }

    pub(crate) fn finish(&self) {
        self.counts.get().finished.inc();
    }

    pub(crate) fn unrouted(&self, class: Class) {
        self.counts.get().unrouted.count(class);
    }

    pub(crate) fn management(&self, class: Class) {
        self.counts.get().management.count(class);
    }

    /// Returns the sums.
    pub(crate) fn totals(&self) -> ListenerTotals {
        let sum = |counter: fn(&ListenerCounts) -> &Counter| self.counts.sum(counter);
        let ended = Ending::ALL.map(|ending| (ending, self.counts.sum(|one| &one.ended[ending as usize])));
        let all_ended: u64 = ended.iter().map(|(_, count)| count).sum();
        // Read after the ends: a connection that comes and goes meanwhile must not make the number of open ones negative.
        let finished = sum(|one| &one.finished);
        let (accepted, begun) = (sum(|one| &one.accepted), sum(|one| &one.begun));
        ListenerTotals {
            accepted,
            open: accepted.saturating_sub(all_ended),
            ended,
            received: sum(|one| &one.received),
            sent: sum(|one| &one.sent),
            in_flight: begun.saturating_sub(finished),
            unrouted: classes(&self.counts, |one| &one.unrouted),
            management: classes(&self.counts, |one| &one.management),
            failed_accepts: self.failed_accepts.get(),
        }
    }
}

/// The sums of the counters of a listener.
#[derive(Debug)]
pub(crate) struct ListenerTotals {
    pub(crate) accepted: u64,
    pub(crate) open: u64,
    pub(crate) ended: [(Ending, u64); Ending::ALL.len()],
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) in_flight: u64,
    pub(crate) unrouted: [(Class, u64); Class::ALL.len()],
    pub(crate) management: [(Class, u64); Class::ALL.len()],
    pub(crate) failed_accepts: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_requests_are_added_up() {
        let traffic = ListenerTraffic::default();
        std::thread::scope(|threads| {
            for ending in Ending::ALL {
                let traffic = &traffic;
                threads.spawn(move || {
                    (0..3).for_each(|_| traffic.accept());
                    traffic.end(ending);
                    traffic.begin();
                    traffic.receive(10);
                });
            }
        });
        let totals = traffic.totals();
        assert_eq!((totals.accepted, totals.open, totals.in_flight, totals.received), (24, 16, 8, 80));
        assert!(totals.ended.iter().all(|(_, count)| *count == 1));
    }
}
