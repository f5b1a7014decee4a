//! The plan of one pipeline with its routes: what the next configuration takes over.

use std::sync::Arc;

use crate::config::LinkedPipeline;
use crate::diagnostics::problem::Problems;
use crate::http::url_prefix::UrlPrefix;
use crate::plan::route::{PipelinePlan, Route, Tables};
use crate::plan::route_table::RouteTable;

/// A pipeline with its plan and its routes.
#[derive(Debug)]
pub(crate) struct PlannedPipeline {
    pub(super) linked: Arc<LinkedPipeline>,
    pub(super) plan: Arc<PipelinePlan>,
    pub(super) routes: Box<[PlannedRoute]>,
    /// Set if the plan follows from the linked pipeline and the meshes alone: its backend names no resource and no file.
    pub(super) needs_nothing: bool,
    /// The problems that planning it has found.
    pub(super) problems: Problems,
}

/// A route, and the requests that it is for.
#[derive(Debug)]
pub(super) enum PlannedRoute {
    /// Those below the URL of an ingress.
    Ingress(Box<UrlPrefix>, Arc<Route>),
    /// Those below the path of the endpoint.
    Endpoint(Arc<Route>),
}

impl PlannedPipeline {
    /// Adds the routes to the tables of the networks of the pipeline.
    pub(super) fn enter(&self, tables: &mut Tables) {
        self.with_tables(tables, |table, planned| match planned {
            PlannedRoute::Ingress(url, route) => table.add_ingress(url, Arc::clone(route)),
            PlannedRoute::Endpoint(route) => table.add_endpoint(&route.endpoint_prefix, Arc::clone(route)),
        });
    }

    /// Removes the routes from the tables.
    pub(super) fn leave(&self, tables: &mut Tables) {
        self.with_tables(tables, |table, planned| match planned {
            PlannedRoute::Ingress(url, _) => table.remove_ingress(url),
            PlannedRoute::Endpoint(route) => table.remove_endpoint(&route.endpoint_prefix),
        });
    }

    fn with_tables(&self, tables: &mut Tables, change: impl Fn(&mut RouteTable<Arc<Route>>, &PlannedRoute)) {
        for network in &self.linked.pipeline.networks {
            let Some(table) = tables.get_mut(network.value.as_str()) else { continue };
            self.routes.iter().for_each(|planned| change(table, planned));
        }
    }
}
