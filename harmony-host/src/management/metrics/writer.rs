//! The writer of series: each has the name and the labels of a definition of the catalogue.

use std::fmt;
use std::time::SystemTime;

use jiff::Timestamp;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabel as _, EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

#[cfg(feature = "gateway")]
use crate::metrics::Totals;
use crate::metrics::{Definition, Kind};

/// A writer of metrics.
pub(super) struct Writer<'e>(DescriptorEncoder<'e>);

/// The labels of a series: the names of its definition, and their values.
struct Labels<'l> {
    names: &'static [&'static str],
    values: &'l [&'l str],
}

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        debug_assert_eq!(self.names.len(), self.values.len(), "{:?}", self.names);
        for (name, value) in self.names.iter().zip(self.values) {
            (*name, *value).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

impl<'e> Writer<'e> {
    pub(super) fn new(encoder: DescriptorEncoder<'e>) -> Self {
        Self(encoder)
    }

    /// Writes the series of a counter.
    pub(super) fn counter<'v, const N: usize>(
        &mut self,
        definition: &'static Definition,
        series: impl IntoIterator<Item = ([&'v str; N], u64)>,
    ) -> fmt::Result {
        self.family(definition, series, |encoder, count| {
            encoder.encode_counter(&count, None::<&Exemplar<NoLabelSet, f64>>)
        })
    }

    /// Writes the series of a gauge.
    pub(super) fn gauge<'v, const N: usize>(
        &mut self,
        definition: &'static Definition,
        series: impl IntoIterator<Item = ([&'v str; N], f64)>,
    ) -> fmt::Result {
        self.family(definition, series, |encoder, value| encoder.encode_gauge(&value))
    }

    /// Writes the series of a histogram.
    #[cfg(feature = "gateway")]
    pub(super) fn histogram<'v, const N: usize>(
        &mut self,
        definition: &'static Definition,
        series: impl IntoIterator<Item = ([&'v str; N], Totals)>,
    ) -> fmt::Result {
        self.family(definition, series, |encoder, totals| {
            let buckets = totals.with_bounds();
            encoder.encode_histogram::<NoLabelSet>(totals.seconds, totals.count(), &buckets, None)
        })
    }

    /// Writes the series of a metric. One without series is left out.
    fn family<'v, const N: usize, V>(
        &mut self,
        definition: &'static Definition,
        series: impl IntoIterator<Item = ([&'v str; N], V)>,
        write: impl Fn(&mut MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        let mut series = series.into_iter().peekable();
        if series.peek().is_none() {
            return Ok(());
        }
        let kind = match definition.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
        };
        let mut family = self.0.encode_descriptor(definition.name, definition.help, None, kind)?;
        for (values, value) in series {
            let labels = Labels { names: definition.labels, values: &values };
            write(&mut family.encode_family(&labels)?, value)?;
        }
        Ok(())
    }
}

/// Returns a number for a gauge.
pub(super) fn number(count: usize) -> f64 {
    count as f64
}

/// Returns 1 or 0.
pub(super) fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}

/// Returns the seconds since 1970.
pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1e3
}

/// Returns the seconds since 1970; negative before.
pub(super) fn unix_seconds(at: SystemTime) -> f64 {
    match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}
