//! The plans of a configuration, and what the next one takes over of them.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use provider_api::{Inventory, Reference};

use crate::metrics::RouteTraffic;
use crate::plan::mesh::MeshPlan;
use crate::plan::planned::PlannedPipeline;
use crate::plan::reference_cache::ReferenceCache;
use crate::plan::route::PipelinePlan;
use crate::plan::route::Tables;
use crate::plan::target::Target;
use crate::plan::terms::Terms;

/// The plans of a configuration.
#[derive(Debug)]
pub(crate) struct Plans {
    /// The routes of every network.
    pub(crate) tables: Tables,
    /// The targets of the references in the configuration.
    pub(crate) targets: HashMap<Reference, Arc<Target>>,
    /// The pipelines, in the order of their names.
    pub(super) pipelines: Vec<Arc<PlannedPipeline>>,
    /// Every enabled mesh.
    pub(crate) meshes: Vec<Arc<MeshPlan>>,
    /// The targets of other references, which the embedding application resolves.
    pub(crate) references: ReferenceCache,
    pub(super) terms: Terms,
    pub(super) inventory: Arc<Inventory>,
}

impl Plans {
    /// Returns the plans of all pipelines, in the order of their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = &PlannedPipeline> {
        self.pipelines.iter().map(|planned| &**planned)
    }

    /// Returns the plan of the pipeline `name`.
    pub(crate) fn pipeline(&self, name: &str) -> Option<&PlannedPipeline> {
        let at = self.pipelines.binary_search_by(|planned| planned.linked.pipeline.name.as_str().cmp(name));
        self.pipelines.get(at.ok()?).map(|planned| &**planned)
    }

    /// Returns the pipelines whose plans `before` does not share, in the order of their names: before and after.
    pub(crate) fn changed_since<'a>(
        &'a self,
        before: Option<&'a Self>,
    ) -> impl Iterator<Item = (Option<&'a PlannedPipeline>, Option<&'a PlannedPipeline>)> {
        let mut old = before.map(|before| before.pipelines.as_slice()).unwrap_or_default().iter().peekable();
        let mut new = self.pipelines.iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let order = match (old.peek(), new.peek()) {
                    (Some(old), Some(new)) if Arc::ptr_eq(old, new) => Ordering::Equal,
                    (Some(old), Some(new)) => old.linked.pipeline.name.cmp(&new.linked.pipeline.name),
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (None, None) => return None,
                };
                let old = old.next_if(|_| order.is_le());
                let new = new.next_if(|_| order.is_ge());
                if !old.zip(new).is_some_and(|(old, new)| Arc::ptr_eq(old, new)) {
                    return Some((old.map(|planned| &**planned), new.map(|planned| &**planned)));
                }
            }
        })
    }

    /// Returns the plans of all pipelines, with their routes, in the order of their names.
    pub(crate) fn traffic(
        &self,
    ) -> impl Iterator<Item = (&PipelinePlan, impl Iterator<Item = &Arc<RouteTraffic>>)> {
        self.pipelines.iter().map(|planned| {
            let routes = planned.routes.iter().flat_map(|planned| planned.route().traffic.iter());
            (&*planned.plan, routes)
        })
    }

    /// Returns the targets of all references of remote providers.
    pub(crate) fn remote_targets(&self) -> impl Iterator<Item = Arc<Target>> {
        let all = self.targets.values().cloned().chain(self.references.all());
        all.filter(|target| !target.reference.provider().is_local())
    }

    /// Forgets what the primary provider has told this gateway: the gateway has another credential.
    pub(crate) fn forget_credential(&self) {
        self.remote_targets().for_each(|target| target.forget());
        let remote = self.meshes.iter().filter(|mesh| !mesh.provider.is_local());
        remote.for_each(|mesh| mesh.forget_issued());
    }

    /// Returns the target of a reference of a remote provider, if it has one.
    pub(crate) fn remote_target(&self, reference: &Reference) -> Option<Arc<Target>> {
        if reference.provider().is_local() {
            return None;
        }
        self.targets.get(reference).cloned().or_else(|| self.references.get(reference))
    }

    /// Returns the plan of a mesh, if its tokens are as good under the new `terms`.
    pub(super) fn mesh(&self, name: &str, terms: &Terms, inventory: &Inventory) -> Option<&Arc<MeshPlan>> {
        let before = (&self.terms, &*self.inventory);
        let found = self.meshes.iter().find(|mesh| mesh.identity.name == name);
        found.filter(|_| terms.keep_tokens(before, inventory, name))
    }
}
