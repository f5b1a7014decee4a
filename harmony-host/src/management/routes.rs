//! `GET routes`: the paths and URLs that lead to pipelines.

use serde_json::{Value, json};

use crate::config::LinkedPipeline;
use crate::snapshot::Snapshot;

/// The methods that the gateway forwards, on every route.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Returns the routes: endpoint paths and ingress URLs, sorted.
pub(super) fn routes(snapshot: &Snapshot) -> Value {
    let mut routes: Vec<Value> =
        snapshot.config.pipelines.iter().flat_map(|linked| pipeline_routes(linked)).collect();
    routes.sort_by(|a, b| a["path"].as_str().cmp(&b["path"].as_str()));
    json!({ "routes": routes })
}

/// Returns the routes of one pipeline.
fn pipeline_routes(linked: &LinkedPipeline) -> Vec<Value> {
    let pipeline = &linked.pipeline;
    let networks: Vec<&str> = pipeline.networks.iter().map(|at| at.value.as_str()).collect();
    let served = |endpoint: &String| linked.unserved.is_none() && !linked.closed.contains_key(endpoint);
    let mut routes = Vec::new();
    for endpoint in &linked.endpoints {
        let Some(path) = &endpoint.path_prefix else { continue };
        routes.push(json!({
            "path": path.value,
            "methods": METHODS,
            "description": pipeline.description,
            "endpoint_name": endpoint.name,
            "service_type": endpoint.service.value,
            "pipeline": pipeline.name,
            "networks": networks,
            "served": served(&endpoint.name),
        }));
    }
    for ingress in &linked.ingress {
        for url in &ingress.urls {
            routes.push(json!({
                "path": url.value.as_str(),
                "methods": METHODS,
                "description": pipeline.description,
                "endpoint_name": ingress.endpoint.name,
                "service_type": ingress.endpoint.service.value,
                "pipeline": pipeline.name,
                "networks": networks,
                "ingress": ingress.name,
                "mode": ingress.mode,
                "served": served(&ingress.endpoint.name),
            }));
        }
    }
    routes
}
