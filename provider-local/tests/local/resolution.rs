//! Resolution of references.

use provider_api::{ErrorKind, Freshness, Resource, ResourceType};

use crate::harness::Gateway;

fn resource(kind: ResourceType, id: &str, name: &str) -> Resource {
    Resource::new(kind, id, name)
}

fn in_pipeline(kind: ResourceType, id: &str, name: &str, pipeline: &str) -> Resource {
    let mut resource = resource(kind, id, name);
    resource.pipeline_id = Some(pipeline.to_owned());
    resource
}

async fn refusal(gateway: &Gateway, reference: &str, kind: ErrorKind) -> String {
    let error = gateway.resolve(reference).await.expect_err(reference);
    assert_eq!(error.kind(), kind, "{error}");
    error.to_string()
}

#[tokio::test]
async fn every_form_of_a_reference_resolves() {
    let gateway = Gateway::with_resources(vec![
        resource(ResourceType::Ingress, "i-1", "fhir-api"),
        resource(ResourceType::Backend, "B_1", "pacs"),
    ]);
    for reference in [
        "fhir-api",
        "local.name.fhir-api",
        "local.id.i-1",
        "local.local.id.i-1",
        "local.local.ingress.name.fhir-api",
        "local.local.ingress.id.i-1",
    ] {
        assert_eq!(gateway.resolve(reference).await.unwrap().id, "i-1", "{reference}");
    }
    assert_eq!(gateway.resolve("local.id.B_1").await.unwrap().name, "pacs");

    let reference = "pacs".parse().unwrap();
    let resolved = gateway.provider.resolver().unwrap().resolve(&reference).await.unwrap();
    assert_eq!(resolved.fresh, Freshness::UntilReload);
}

#[tokio::test]
async fn name_of_several_types_lists_references() {
    let gateway = Gateway::with_resources(vec![
        resource(ResourceType::Ingress, "i-1", "fhir"),
        resource(ResourceType::Backend, "b-1", "fhir"),
    ]);
    assert_eq!(
        refusal(&gateway, "fhir", ErrorKind::Invalid).await,
        "`local.name.fhir` matches 2 resources; use one of: `local.local.ingress.name.fhir` (ingress), \
         `local.local.backend.name.fhir` (backend)"
    );
    assert_eq!(gateway.resolve("local.local.backend.name.fhir").await.unwrap().id, "b-1");
}

#[tokio::test]
async fn duplicate_name_lists_ids() {
    let gateway = Gateway::with_resources(vec![
        in_pipeline(ResourceType::Endpoint, "e-1", "main", "a"),
        in_pipeline(ResourceType::Endpoint, "e-2", "main", "b"),
        in_pipeline(ResourceType::Backend, "same", "out", "a"),
        in_pipeline(ResourceType::Egress, "same", "way", "a"),
    ]);
    let by_id = "`local.id.e-1` (endpoint of pipeline `a`), `local.id.e-2` (endpoint of pipeline `b`)";
    for reference in ["main", "local.local.endpoint.name.main"] {
        assert!(refusal(&gateway, reference, ErrorKind::Invalid).await.ends_with(by_id));
    }
    let reason = refusal(&gateway, "local.id.same", ErrorKind::Invalid).await;
    assert!(
        reason.contains("local.local.backend.name.out") && reason.contains("local.local.egress.name.way")
    );
}

#[tokio::test]
async fn every_candidate_resolves() {
    let gateway = Gateway::with_resources(vec![
        resource(ResourceType::Endpoint, "x", "main"),
        resource(ResourceType::Endpoint, "e-2", "main"),
        resource(ResourceType::Backend, "x", "main"),
        resource(ResourceType::Mesh, "x", "Not A Slug"),
    ]);
    for reference in ["main", "local.id.x", "local.local.endpoint.name.main"] {
        let reason = refusal(&gateway, reference, ErrorKind::Invalid).await;
        let list = reason.split_once("use one of: ").unwrap().1;
        for candidate in list.split('`').skip(1).step_by(2) {
            assert!(gateway.resolve(candidate).await.is_ok(), "{candidate} of {reason}");
        }
    }
}

#[tokio::test]
async fn long_candidate_list_is_cut() {
    let endpoint =
        |n: usize| in_pipeline(ResourceType::Endpoint, &format!("e-{n}"), "main", &format!("p{n}"));
    let gateway = Gateway::with_resources((0..100).map(endpoint).collect());
    let reason = refusal(&gateway, "main", ErrorKind::Invalid).await;
    assert!(reason.contains("matches 100 resources") && reason.ends_with("and 95 more"), "{reason}");
}

#[tokio::test]
async fn disabled_resource_is_denied() {
    let mut disabled = resource(ResourceType::Ingress, "i-1", "fhir");
    disabled.enabled = false;
    let gateway = Gateway::with_resources(vec![disabled]);
    for reference in ["fhir", "local.id.i-1", "local.local.ingress.name.fhir"] {
        assert!(refusal(&gateway, reference, ErrorKind::Denied).await.contains("is disabled"));
    }
}

#[tokio::test]
async fn other_team_is_not_found() {
    let gateway = Gateway::with_resources(vec![resource(ResourceType::Ingress, "i-1", "fhir")]);
    for reference in ["local.acme.ingress.name.fhir", "local.acme.ingress.id.i-1", "local.acme.id.i-1"] {
        let reason = refusal(&gateway, reference, ErrorKind::NotFound).await;
        assert!(reason.contains("one owner, `local`") && reason.contains("`acme`"), "{reason}");
    }
}

#[tokio::test]
async fn other_provider_is_invalid() {
    let gateway = Gateway::with_resources(vec![resource(ResourceType::Ingress, "i-1", "fhir")]);
    let reason = refusal(&gateway, "runbeam.acme.ingress.id.i-1", ErrorKind::Invalid).await;
    assert!(reason.contains("`runbeam`"), "{reason}");
}

#[tokio::test]
async fn not_found_lists_known_names() {
    let ingress = |n: usize| resource(ResourceType::Ingress, &format!("i-{n}"), &format!("api-{n}"));
    let mut resources: Vec<_> = (0..7).map(ingress).collect();
    resources.push(resource(ResourceType::Backend, "b-1", "pacs"));
    let gateway = Gateway::with_resources(resources);
    for (reference, reason) in [
        (
            "local.local.ingress.name.apy",
            "`local.local.ingress.name.apy`: the configuration has no ingress named `apy`; known: `api-0`, \
             `api-1`, `api-2`, `api-3`, `api-4` and 2 more",
        ),
        (
            "local.local.backend.name.pax",
            "`local.local.backend.name.pax`: the configuration has no backend named `pax`; known: `pacs`",
        ),
        (
            "local.local.ingress.name.pacs",
            "`local.local.ingress.name.pacs`: the configuration has no ingress named `pacs`; there is \
             `local.local.backend.name.pacs` (backend)",
        ),
        (
            "local.local.mesh.name.m",
            "`local.local.mesh.name.m`: the configuration has no mesh named `m`; there are none",
        ),
        ("local.id.nope", "`local.id.nope`: the configuration has no resource with the id `nope`"),
    ] {
        assert_eq!(refusal(&gateway, reference, ErrorKind::NotFound).await, reason);
    }
    let reason = refusal(&Gateway::with_resources(Vec::new()), "x", ErrorKind::NotFound).await;
    assert!(reason.ends_with("there are none"), "{reason}");
}
