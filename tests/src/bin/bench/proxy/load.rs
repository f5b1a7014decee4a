//! A load of clients that each send the next request after the last response.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::client::Client;
use crate::Outcome;

/// Running clients. The load stops when it is dropped.
#[derive(Debug)]
pub(super) struct Load {
    tasks: JoinSet<()>,
    valid: Arc<AtomicU64>,
    error: Arc<FirstError>,
}

impl Load {
    /// Starts the load, with one task for each client.
    pub(super) fn start(clients: Vec<Client>) -> Self {
        let (mut tasks, valid, error) = (JoinSet::new(), Arc::new(AtomicU64::new(0)), Arc::default());
        for mut client in clients {
            let (valid, error): (_, Arc<FirstError>) = (Arc::clone(&valid), Arc::clone(&error));
            tasks.spawn(async move {
                loop {
                    match client.exchange().await {
                        Ok(()) => valid.fetch_add(1, Ordering::Relaxed),
                        Err(wrong) => return error.record(wrong),
                    };
                }
            });
        }
        Self { tasks, valid, error }
    }

    /// The number of valid responses so far.
    pub(super) fn count(&self) -> f64 {
        self.valid.load(Ordering::Relaxed) as f64
    }

    /// Stops the load.
    ///
    /// # Errors
    /// Fails if a response was wrong.
    pub(super) async fn finish(mut self) -> Outcome<()> {
        self.tasks.shutdown().await;
        self.error.take()
    }
}

/// The first error of many tasks.
#[derive(Debug, Default)]
pub(super) struct FirstError(Mutex<Option<String>>);

impl FirstError {
    /// Keeps `error` if it is the first one.
    pub(super) fn record(&self, error: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Returns the error, if there was one.
    ///
    /// # Errors
    /// Fails if a task failed.
    pub(super) fn take(&self) -> Outcome<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}
