use std::time::Duration;

/// How long one exchange with the control plane may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deadlines {
    /// Until a connection stands, TLS included: 5 s unless set.
    pub connect: Duration,
    /// The longest silence within an answer: 10 s unless set.
    pub read: Duration,
    /// The whole exchange, whatever happens: 30 s unless set. A call that needs several exchanges, such as
    /// a list of several pages, has four times as long for all of them.
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(10),
            total: Duration::from_secs(30),
        }
    }
}

impl Deadlines {
    /// How long one call of the contract may take, however many exchanges it is.
    pub(crate) fn call(&self) -> Duration {
        self.total.saturating_mul(4)
    }
}
