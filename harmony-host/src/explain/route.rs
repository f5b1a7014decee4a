//! A route: its pipeline, its rule, its destination and its definitions.

use serde::Serialize;

use crate::config::LinkedPipeline;
use crate::explain::Asked;
use crate::explain::admission::AdmissionExplanation;
use crate::explain::destination::DestinationExplanation;
use crate::explain::origin::Origin;
use crate::plan::{PlannedPipeline, Route};

/// A route that requests take.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RouteExplanation {
    /// The path or URL that its requests begin with.
    pub(crate) prefix: String,
    pub(crate) pipeline: String,
    pub(crate) endpoint: String,
    /// The service of the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ingress: Option<String>,
    /// The reason for which its requests are answered 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) closed: Option<String>,
    /// The features that this host lacks: its requests are answered 501.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_served: Option<String>,
    pub(crate) admission: AdmissionExplanation,
    pub(crate) leads_to: DestinationExplanation,
    /// The definitions that make the route.
    pub(crate) defined: Vec<Origin>,
}

impl Asked<'_> {
    /// Explains a route of a pipeline.
    pub(super) async fn route(
        &self,
        planned: &PlannedPipeline,
        prefix: String,
        route: &Route,
    ) -> RouteExplanation {
        let linked = planned.linked();
        let endpoint = linked.endpoints.iter().find(|endpoint| endpoint.name == *route.endpoint);
        RouteExplanation {
            prefix,
            pipeline: route.pipeline.name.to_string(),
            endpoint: route.endpoint.to_string(),
            service: endpoint.map(|endpoint| endpoint.service.value.clone()),
            ingress: route.ingress.as_deref().map(str::to_owned),
            closed: route.closed.as_deref().map(str::to_owned),
            not_served: route.pipeline.unserved.clone(),
            admission: self.admission(route),
            leads_to: self.destination(planned).await,
            defined: self.definitions(linked, route),
        }
    }

    fn definitions(&self, linked: &LinkedPipeline, route: &Route) -> Vec<Origin> {
        let pipeline = &linked.pipeline;
        let name = &pipeline.name;
        let mut all =
            vec![self.origin(format!("pipeline {name}"), &pipeline.place, &format!("pipelines.{name}"))];
        let ingress = route.ingress.as_deref();
        for one in pipeline.ingress.iter().filter(|one| Some(one.name.as_str()) == ingress) {
            let key = format!("pipelines.{name}.mesh.ingress.{}", one.name);
            all.push(self.origin(format!("ingress {}", one.name), &one.place, &key));
        }
        for endpoint in linked.endpoints.iter().filter(|endpoint| endpoint.name == *route.endpoint) {
            let key = format!("endpoints.{}", endpoint.name);
            all.push(self.origin(format!("endpoint {}", endpoint.name), &endpoint.place, &key));
        }
        if let Some(backend) = linked.backend.as_ref().map(|backend| &backend.backend) {
            let key = format!("backends.{}", backend.name);
            all.push(self.origin(format!("backend {}", backend.name), &backend.place, &key));
        }
        all
    }
}
