//! The plan of one pipeline with its routes: what the next configuration takes over.

use std::sync::Arc;

use crate::config::LinkedPipeline;
use crate::diagnostics::problem::Problems;
use crate::http::url_prefix::UrlPrefix;
use crate::plan::route::{PipelinePlan, Route, Tables};
use crate::plan::route_table::RouteTable;
use crate::plan::upstream::Upstream;

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

impl PlannedRoute {
    pub(super) fn route(&self) -> &Arc<Route> {
        match self {
            Self::Ingress(_, route) | Self::Endpoint(route) => route,
        }
    }
}

impl PlannedPipeline {
    pub(crate) fn linked(&self) -> &Arc<LinkedPipeline> {
        &self.linked
    }

    pub(crate) fn upstream(&self) -> &Upstream {
        &self.plan.upstream
    }

    /// Returns every route with the URL of its ingress, if it has one; the others are for a path.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = (Option<&UrlPrefix>, &Route)> {
        self.routes.iter().map(|planned| match planned {
            PlannedRoute::Ingress(url, route) => (Some(&**url), &**route),
            PlannedRoute::Endpoint(route) => (None, &**route),
        })
    }

    pub(crate) fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().map(|planned| match planned {
            PlannedRoute::Ingress(_, route) | PlannedRoute::Endpoint(route) => &**route,
        })
    }

    /// Returns every route with its network, and with the URL or path that its requests begin with.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, String, &Route)> {
        self.linked.pipeline.networks.iter().flat_map(|network| {
            self.routes.iter().map(move |planned| match planned {
                PlannedRoute::Ingress(url, route) => {
                    (network.value.as_str(), url.as_str().to_owned(), &**route)
                }
                PlannedRoute::Endpoint(route) => {
                    let path = format!("/{}", route.endpoint_prefix.join("/"));
                    (network.value.as_str(), path, &**route)
                }
            })
        })
    }

    /// Returns whether another plan has routes for the same URLs and paths, in the same order.
    pub(crate) fn has_same_prefixes(&self, other: &Self) -> bool {
        let is_same = |(a, b): (&PlannedRoute, &PlannedRoute)| match (a, b) {
            (PlannedRoute::Ingress(a, _), PlannedRoute::Ingress(b, _)) => a == b,
            (PlannedRoute::Endpoint(a), PlannedRoute::Endpoint(b)) => a.endpoint_prefix == b.endpoint_prefix,
            _ => false,
        };
        self.routes.len() == other.routes.len() && self.routes.iter().zip(&other.routes).all(is_same)
    }

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
