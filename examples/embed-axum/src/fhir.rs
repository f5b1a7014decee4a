//! `fhir` with the backend `memory`: a service of the application's own, which the built-in gateway does not have.

use serde_json::{Value, json};

/// The answer to a request, by its method and the path below the endpoint.
pub(crate) fn answer(method: &str, path: &str) -> Option<Value> {
    match (method, path) {
        ("GET", "/metadata") => {
            Some(json!({ "resourceType": "CapabilityStatement", "fhirVersion": "4.0.1" }))
        }
        ("GET", "/Patient/1") => Some(json!({ "resourceType": "Patient", "id": "1", "active": true })),
        _ => None,
    }
}
