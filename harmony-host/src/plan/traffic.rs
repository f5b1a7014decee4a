//! The counters of the routes of a pipeline: those of the plan before, for routes that it had too.

use std::sync::Arc;

use crate::metrics::{PipelineTraffic, RouteTraffic};
use crate::plan::planned::{PlannedPipeline, PlannedRoute};
use crate::plan::plans::Plans;

/// The counters of the routes of one pipeline that is being planned.
pub(super) struct RouteCounters<'a> {
    networks: Vec<&'a str>,
    pub(super) pipeline: Arc<PipelineTraffic>,
    /// Those of its routes so far, and those of the plan before.
    known: Vec<Arc<RouteTraffic>>,
}

impl<'a> RouteCounters<'a> {
    /// Begins with the counters that the pipeline has in `before`.
    pub(super) fn of(name: &str, networks: impl Iterator<Item = &'a str>, before: Option<&Plans>) -> Self {
        let former = before.and_then(|before| find(&before.pipelines, name));
        let known = former.into_iter().flat_map(|former| former.routes.iter().map(PlannedRoute::route));
        Self {
            networks: networks.collect(),
            pipeline: former.map_or_else(
                || PipelineTraffic::new(&Arc::from(name)),
                |former| Arc::clone(&former.plan.traffic),
            ),
            known: known.flat_map(|route| route.traffic.iter().cloned()).collect(),
        }
    }

    /// Returns the counters of a route, one for each network of the pipeline.
    pub(super) fn route(&mut self, name: &str) -> Box<[Arc<RouteTraffic>]> {
        let Self { networks, pipeline, known } = self;
        let one = |network: &&str| {
            let same = known.iter().find(|known| *known.network == **network && *known.route == *name);
            let found = same.cloned().unwrap_or_else(|| RouteTraffic::new(pipeline, network, name));
            if same.is_none() {
                known.push(Arc::clone(&found));
            }
            found
        };
        networks.iter().map(one).collect()
    }
}

/// Finds a pipeline by name. They are in the order of their names.
fn find<'a>(pipelines: &'a [Arc<PlannedPipeline>], name: &str) -> Option<&'a PlannedPipeline> {
    let at = pipelines.binary_search_by(|planned| (*planned.plan.name).cmp(name)).ok()?;
    pipelines.get(at).map(|planned| &**planned)
}
