//! The kinds of failures of backends.

/// The kind of the failure of one attempt to send a request to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// No connection: the name, TCP or TLS failed.
    Unreachable,
    /// The connection ended before the response.
    Closed,
    /// The response is no valid HTTP, too large, or not what was asked for.
    Invalid,
    /// The backend sent nothing for its timeout.
    Timeout,
    /// The response ended early, or stalled, after its head.
    Aborted,
    /// There was no place for another connection.
    NoPlace,
}

impl Fault {
    /// The number of kinds.
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// All kinds, in the order of their numbers.
    pub(crate) const ALL: [Self; 6] =
        [Self::Unreachable, Self::Closed, Self::Invalid, Self::Timeout, Self::Aborted, Self::NoPlace];

    /// Returns the name in metrics and logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Closed => "closed",
            Self::Invalid => "invalid",
            Self::Timeout => "timeout",
            Self::Aborted => "aborted",
            Self::NoPlace => "no_place",
        }
    }

    /// Returns the remedy that fits most causes.
    pub(crate) const fn remedy(self) -> &'static str {
        match self {
            Self::Unreachable => "see if it runs, and connect to it from this machine (`curl -v`)",
            Self::Closed | Self::Aborted => "read its log: it ended the connection of a request",
            Self::Invalid => "read its log: it broke the rules of HTTP",
            Self::Timeout => "see if it is overloaded; `timeout_secs` of the backend is the limit",
            Self::NoPlace => "find the backend that is slow; raise LimitNOFILE",
        }
    }

    /// Returns the meaning, in one sentence.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Unreachable => "The name, TCP or TLS of the backend failed.",
            Self::Closed => "The backend closed the connection before its response.",
            Self::Invalid => {
                "The response of the backend is no valid HTTP, too large, or not what was asked for."
            }
            Self::Timeout => "The backend sent nothing for its timeout.",
            Self::Aborted => "The response of the backend ended early, or stalled, after its head.",
            Self::NoPlace => "There was no place for another connection to a backend.",
        }
    }
}
