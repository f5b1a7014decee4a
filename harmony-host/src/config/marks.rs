//! Marks: small summaries of pipelines that are read instead of the pipelines themselves. A pipeline without the marks of a name
//! or path has nothing to do with it; one with the marks may have.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use crate::config::link::LinkedPipeline;

/// The marks of a pipeline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    /// Of the endpoints and backends that it names.
    names: u64,
    /// Of the paths on networks that it claims.
    claims: u64,
}

impl Marks {
    pub(super) fn of(linked: &LinkedPipeline) -> Self {
        let names = linked.names().fold(0, |marks, name| marks | mark(&name));
        Self { names, claims: claims(linked).fold(0, |marks, claim| marks | mark(&claim)) }
    }

    /// Returns false if the pipeline names none of the endpoints and backends with these [marks](marks).
    pub(super) fn may_name(&self, names: &[u64]) -> bool {
        names.iter().any(|mark| self.names & mark == *mark)
    }

    /// Returns false if the pipeline claims none of the paths with these [marks](marks).
    pub(super) fn may_claim(&self, claims: &[u64]) -> bool {
        claims.iter().any(|mark| self.claims & mark == *mark)
    }
}

/// Returns the marks of names or claims.
pub(super) fn marks(all: &[impl Hash]) -> Vec<u64> {
    all.iter().map(mark).collect()
}

/// A network and the segments of a path on it.
pub(super) type Claim<'a> = (&'a str, &'a [String]);

/// Returns the paths that a pipeline claims, except those of ingress URLs.
pub(super) fn claims(linked: &LinkedPipeline) -> impl Iterator<Item = Claim<'_>> {
    let networks = linked.pipeline.networks.iter().map(|network| network.value.as_str());
    networks.flat_map(|network| {
        linked.endpoints.iter().filter_map(move |endpoint| Some((network, endpoint.segments.as_deref()?)))
    })
}

/// Returns two of 64 bits.
fn mark(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    let hash = hasher.finish();
    1 << (hash & 63) | 1 << (hash >> 6 & 63)
}
