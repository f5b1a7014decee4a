//! `GET pipelines`: the configured pipelines.

use serde_json::{Value, json};

use crate::config::LinkedPipeline;
use crate::diagnostics::source::Spanned;
use crate::snapshot::Snapshot;

/// Returns the pipelines. An unserved one has the reason in `not_served`.
pub(super) fn pipelines(snapshot: &Snapshot) -> Value {
    let pipelines: Vec<Value> = snapshot.config.pipelines.iter().map(|linked| pipeline(linked)).collect();
    json!({ "pipelines": pipelines })
}

fn pipeline(linked: &LinkedPipeline) -> Value {
    let names = |list: &[Spanned<String>]| list.iter().map(|at| at.value.clone()).collect::<Vec<_>>();
    let pipeline = &linked.pipeline;
    json!({
        "id": pipeline.name,
        "description": pipeline.description,
        "networks": names(&pipeline.networks),
        "endpoints": names(&pipeline.endpoints),
        "backends": names(&pipeline.backends),
        "middleware": names(&pipeline.middleware),
        "ingress": linked.ingress.iter().map(|ingress| &ingress.name).collect::<Vec<_>>(),
        "egress": linked.egress.iter().map(|egress| &egress.name).collect::<Vec<_>>(),
        "not_served": linked.unserved.as_ref().map(|lacks| format!("this host does not have {lacks}")),
    })
}
