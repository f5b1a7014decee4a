//! Building the plans of a configuration.

use std::collections::HashMap;
use std::sync::Arc;

use provider_api::Inventory;

use crate::config::Config;
use crate::diagnostics::problem::Problems;
use crate::documents::Documents;
use crate::plan::planned::PlannedPipeline;
use crate::plan::planner::Planner;
use crate::plan::plans::Plans;
use crate::plan::reference_cache::ReferenceCache;
use crate::plan::route_table::RouteTable;
use crate::plan::terms::Terms;
use crate::providers::resolutions::Resolutions;

/// The inputs of plans.
pub(crate) struct Inputs<'a> {
    pub(crate) config: &'a Config,
    pub(crate) documents: &'a Documents,
    pub(crate) inventory: &'a Arc<Inventory>,
    pub(crate) resolutions: &'a Arc<Resolutions>,
    /// The previous snapshot. What has the same inputs is taken over, with its caches.
    pub(crate) before: Option<Before<'a>>,
}

/// The plans of the previous snapshot, and what they were made of.
#[derive(Clone, Copy)]
pub(crate) struct Before<'a> {
    pub(crate) config: &'a Config,
    pub(crate) documents: &'a Documents,
    pub(crate) plans: &'a Plans,
}

/// Builds the plans of a configuration.
pub(crate) fn build_plans(inputs: &Inputs<'_>, problems: &mut Problems) -> Plans {
    let Inputs { config, documents, inventory, resolutions, before } = *inputs;
    let terms = Terms::of(config);
    let same_terms = before.filter(|before| before.plans.terms == terms);
    let mut planner = Planner {
        sender: Arc::from(config.proxy.id.as_str()),
        before: same_terms.map(|before| before.plans),
        former: before.map(|before| before.plans),
        resolutions: resolutions.for_provider(terms.identity()),
        targets: HashMap::new(),
        meshes: Vec::new(),
        of_ingress: HashMap::new(),
        of_egress: HashMap::new(),
        documents,
        authorities: HashMap::new(),
        problems: Problems::default(),
    };
    for linked in config.meshes.iter() {
        let same = before.and_then(|before| before.plans.mesh(&linked.mesh.name, &terms, inventory));
        planner.mesh(linked, same);
    }
    let carried = same_terms.filter(|before| {
        let meshes = || planner.meshes.iter().map(|(_, plan)| plan);
        meshes().map(Arc::as_ptr).eq(before.plans.meshes.iter().map(Arc::as_ptr))
            && config
                .meshes
                .iter()
                .zip(before.config.meshes.iter())
                .all(|(new, old)| new.has_same_members(old))
            && network_names(config).eq(network_names(before.config))
    });
    let (tables, pipelines) = match carried {
        Some(before) => {
            let kept = Kept::of(config, documents, before, &mut planner);
            let mut tables = before.plans.tables.clone();
            kept.gone.iter().for_each(|gone| gone.leave(&mut tables));
            planner.pipelines(config, kept.pipelines, tables)
        }
        None => {
            let tables = network_names(config).map(|name| (Arc::from(name), RouteTable::default())).collect();
            let none = vec![None; config.pipelines.len()];
            planner.pipelines(config, none, tables)
        }
    };
    pipelines.iter().for_each(|planned| problems.extend(&planned.problems));
    let meshes = planner.meshes.into_iter().map(|(_, plan)| plan).collect();
    let references = ReferenceCache::new(planner.resolutions);
    if let Some(before) = planner.before {
        references.carry(&before.references);
    }
    let (targets, inventory) = (planner.targets, Arc::clone(inventory));
    Plans { tables, targets, pipelines, meshes, references, terms, inventory }
}

fn network_names(config: &Config) -> impl Iterator<Item = &str> {
    config.networks.iter().map(|network| network.name.as_str())
}

/// The division of the plans before: those that are taken over, and the others.
struct Kept<'a> {
    /// For each pipeline of the configuration its plan before, if that is taken over.
    pipelines: Vec<Option<&'a Arc<PlannedPipeline>>>,
    /// The plans that are not taken over.
    gone: Vec<&'a PlannedPipeline>,
}

impl<'a> Kept<'a> {
    fn of(config: &Config, documents: &Documents, before: Before<'a>, planner: &mut Planner<'_>) -> Self {
        let mut old = before.plans.pipelines.iter().peekable();
        let (mut pipelines, mut gone) = (Vec::with_capacity(config.pipelines.len()), Vec::new());
        for linked in &config.pipelines {
            // The names are only looked at where the pipeline is another: almost none of an edit is.
            let is_same = |old: &Arc<PlannedPipeline>| Arc::ptr_eq(&old.linked, linked);
            while let Some(other) =
                old.next_if(|old| !is_same(old) && old.linked.pipeline.name < linked.pipeline.name)
            {
                gone.push(&**other);
            }
            let named = old.next_if(|old| is_same(old) || old.linked.pipeline.name == linked.pipeline.name);
            let kept = named.filter(|old| is_same(old) && planner.keeps(old, documents, before.documents));
            gone.extend(named.filter(|_| kept.is_none()).map(|old| &**old));
            pipelines.push(kept);
        }
        gone.extend(old.map(|other| &**other));
        Self { pipelines, gone }
    }
}
