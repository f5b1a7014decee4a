//! The definition of a metric: what the exposition and the documentation say about it.

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number that grows until the gateway restarts.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// Durations by bucket.
    Histogram,
}

impl Kind {
    /// Returns the name in the documentation.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The part of the gateway that has a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// The built-in gateway, which serves requests.
    Requests,
    /// The control side, which an application that embeds the host has as well.
    Control,
}

/// A metric.
#[derive(Debug)]
pub(crate) struct Definition {
    /// The name, without the suffix that the exposition adds to a counter.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) side: Side,
    pub(crate) help: &'static str,
    pub(crate) labels: &'static [&'static str],
}

impl Definition {
    /// Returns the name of the series.
    pub(crate) fn full_name(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.name),
            Kind::Gauge | Kind::Histogram => self.name.to_owned(),
        }
    }
}
