//! The signals that end connections: drain, and the deadline after it.

use tokio::sync::watch;

/// The signals for one connection. While a clone exists, the connection counts as open.
#[derive(Clone, Debug)]
pub(super) struct Drain {
    draining: watch::Receiver<bool>,
    cut: watch::Receiver<bool>,
}

/// The sender of the first signal, to the connections of one listener. Dropping it sends the signal.
#[derive(Debug)]
pub(super) struct Drainer(watch::Sender<bool>);

/// The sender of the second signal, to the connections of all listeners. Dropping it sends the signal.
#[derive(Debug)]
pub(super) struct Deadline(watch::Sender<bool>);

impl Deadline {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Returns the receiving side.
    pub(super) fn receiver(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    /// Ends all connections at once.
    pub(super) fn cut(&self) {
        self.0.send_replace(true);
    }
}

impl Drainer {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Returns the signals for a new connection; `cut` is the receiving side of the [`Deadline`].
    pub(super) fn drain(&self, cut: &watch::Receiver<bool>) -> Drain {
        Drain { draining: self.0.subscribe(), cut: cut.clone() }
    }

    /// Tells the connections to finish their requests in flight and to close.
    pub(super) fn start(&self) {
        self.0.send_replace(true);
    }

    /// Returns true if no connection is open.
    pub(super) fn is_finished(&self) -> bool {
        self.0.is_closed()
    }

    /// Waits until no connection is open.
    pub(super) async fn finished(&self) {
        self.0.closed().await;
    }
}

impl Drain {
    /// Waits until the connection should finish its requests in flight and close. Cancel safe.
    pub(super) async fn started(&mut self) {
        // An error says that the sender was dropped, which is the signal too.
        let _ = self.draining.wait_for(|started| *started).await;
    }

    /// Waits until the connection must end at once. Cancel safe.
    pub(super) async fn cut(&mut self) {
        let _ = self.cut.wait_for(|cut| *cut).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn signals_reach_every_connection() {
        let (deadline, drainer) = (Deadline::new(), Drainer::new());
        let mut drains = [drainer.drain(&deadline.receiver()), drainer.drain(&deadline.receiver())];
        assert!(!drainer.is_finished());
        drainer.start();
        for drain in &mut drains {
            drain.started().await;
        }
        deadline.cut();
        for drain in &mut drains {
            drain.cut().await;
        }
        drop(drains);
        drainer.finished().await;
    }

    #[tokio::test]
    async fn a_dropped_sender_is_a_signal() {
        let (deadline, drainer) = (Deadline::new(), Drainer::new());
        let mut drain = drainer.drain(&deadline.receiver());
        drop((deadline, drainer));
        drain.started().await;
        drain.cut().await;
    }
}
