//! The service `fhir` with the backend `memory`, which the built-in gateway does not have.

use serde_json::{Value, json};

/// Returns the response to a request with this method and this path below the endpoint; `None` for an unknown resource.
pub(crate) fn answer(method: &str, path: &str) -> Option<Value> {
    match (method, path) {
        ("GET", "/metadata") => {
            Some(json!({ "resourceType": "CapabilityStatement", "fhirVersion": "4.0.1" }))
        }
        ("GET", "/Patient/1") => Some(json!({ "resourceType": "Patient", "id": "1", "active": true })),
        _ => None,
    }
}
