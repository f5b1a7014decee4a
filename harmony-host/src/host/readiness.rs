//! The readiness of a gateway for requests, as load balancers ask for it.

/// The readiness of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// The host has not started yet.
    Starting,
    /// A configuration is served.
    Ready,
    /// Nothing is served.
    NoConfiguration,
    /// The gateway is about to stop, and still serves.
    Stopping,
}

impl Readiness {
    /// Returns whether load balancers may send requests.
    pub(crate) fn is_ready(self) -> bool {
        self == Self::Ready
    }

    /// Returns the state as one word for responses.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::NoConfiguration => "no configuration",
            Self::Stopping => "stopping",
        }
    }
}
