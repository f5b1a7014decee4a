//! The inventory: the resources and meshes that a configuration declares, as providers get them.

use std::collections::HashSet;
use std::sync::Arc;

use provider_api::{Inventory, MeshDefinition, MeshKeys, Resource, ResourceType, Resources};

use crate::config::{
    Config, Destination, Egress, Endpoint, Ingress, LinkedBackend, LinkedMesh, LinkedPipeline, Mesh,
};
use crate::documents::Documents;

/// Returns the resources and meshes that the configuration declares. The resources are made when a provider reads them.
pub(crate) fn inventory(config: &Arc<Config>, documents: &Arc<Documents>) -> Inventory {
    let meshes = config.meshes.iter().map(|linked| definition(linked, documents)).collect();
    let (config, documents) = (Arc::clone(config), Arc::clone(documents));
    Inventory { resources: Resources::lazy(move || resources(&config, &documents)), meshes }
}

fn resources(config: &Config, documents: &Documents) -> Vec<Resource> {
    let mut resources = Vec::new();
    for linked in &config.pipelines {
        resources.push(pipeline(linked));
        resources.extend(linked.pipeline.ingress.iter().map(|i| ingress(linked, i)));
        resources.extend(linked.pipeline.egress.iter().map(|e| egress(linked, e)));
    }
    let endpoints = documents.fragments().flat_map(|fragment| &fragment.endpoints);
    resources.extend(endpoints.map(|declared| endpoint(declared)));
    // Pipelines may share a backend; it is still one resource.
    let mut seen = HashSet::new();
    let used = config.pipelines.iter().filter_map(|linked| linked.backend.as_ref());
    resources.extend(used.filter(|linked| seen.insert(Arc::as_ptr(&linked.backend))).map(backend));
    resources.extend(config.unused_backends.iter().map(backend));
    resources.extend(config.meshes.iter().map(|linked| mesh(&linked.mesh)));
    resources.extend(config.disabled_meshes.iter().map(|off| mesh(off)));
    for resource in &mut resources {
        resource.gateway_id = Some(config.proxy.id.clone());
        resource.provider = Some("local".to_owned());
    }
    resources
}

/// Returns true for two inventories with the same meshes.
pub(crate) fn has_same_meshes(a: &Inventory, b: &Inventory) -> bool {
    let same = |(a, b): (&MeshDefinition, &MeshDefinition)| is_same_mesh(a, b);
    a.meshes.len() == b.meshes.len() && a.meshes.iter().zip(&b.meshes).all(same)
}

/// Returns true for two definitions of the same mesh with the same keys. The patterns name every field, so that a new one
/// cannot be left out.
pub(crate) fn is_same_mesh(a: &MeshDefinition, b: &MeshDefinition) -> bool {
    let MeshDefinition { identity, provider, keys, token_audience, jwks_url } = a;
    let same_keys = match (keys, &b.keys) {
        (None, None) => true,
        (Some(MeshKeys::Shared(a)), Some(MeshKeys::Shared(b))) => a == b,
        (
            Some(MeshKeys::Rsa { private_pem, public_pem }),
            Some(MeshKeys::Rsa { private_pem: private, public_pem: public }),
        ) => private_pem == private && public_pem == public,
        _ => false,
    };
    same_keys
        && *identity == b.identity
        && *provider == b.provider
        && *token_audience == b.token_audience
        && *jwks_url == b.jwks_url
}

/// Returns a resource; the name replaces a missing `id`.
fn resource(kind: ResourceType, id: Option<&String>, name: &str) -> Resource {
    Resource::new(kind, id.map_or(name, String::as_str), name)
}

fn pipeline(linked: &LinkedPipeline) -> Resource {
    let pipeline = &linked.pipeline;
    let mut own = resource(ResourceType::Pipeline, pipeline.id.as_ref(), &pipeline.name);
    own.description = pipeline.description.clone();
    own
}

fn ingress(linked: &LinkedPipeline, ingress: &Ingress) -> Resource {
    let mut own = resource(ResourceType::Ingress, ingress.id.as_ref(), &ingress.name);
    own.pipeline_id = Some(pipeline(linked).id);
    own.description = ingress.description.clone();
    own.urls = ingress.urls.iter().map(|url| url.value.clone()).collect();
    own.mode = Some(ingress.mode);
    own.enabled = ingress.enabled;
    own.protocol = ingress.protocol.clone();
    own.endpoint_id = ingress.endpoint.as_ref().map(|at| at.value.clone());
    own
}

fn egress(linked: &LinkedPipeline, egress: &Egress) -> Resource {
    let mut own = resource(ResourceType::Egress, egress.id.as_ref(), &egress.name);
    own.pipeline_id = Some(pipeline(linked).id);
    own.description = egress.description.clone();
    own.mode = Some(egress.mode);
    own.enabled = egress.enabled;
    own.protocol = egress.protocol.clone();
    own.backend_id = egress.backend.as_ref().map(|at| at.value.clone());
    own
}

fn endpoint(declared: &Endpoint) -> Resource {
    let mut own = resource(ResourceType::Endpoint, declared.id.as_ref(), &declared.name);
    own.service_id = Some(declared.service.value.clone());
    own
}

fn backend(linked: &LinkedBackend) -> Resource {
    let mut own = resource(ResourceType::Backend, linked.backend.id.as_ref(), &linked.backend.name);
    own.service_id = Some(linked.backend.service.value.clone());
    if let Destination::Url(url) = &linked.destination {
        own.urls = vec![url.to_string()];
    }
    own
}

fn mesh(mesh: &Mesh) -> Resource {
    let mut resource = resource(ResourceType::Mesh, mesh.id.as_ref(), &mesh.name);
    resource.enabled = mesh.enabled;
    resource.auth_type = Some("jwt".to_owned());
    resource.protocol = mesh.protocol.as_ref().map(|at| at.value.to_owned());
    resource.description = mesh.description.clone();
    resource.ingress = mesh.ingress.iter().map(|at| at.value.clone()).collect();
    resource.egress = mesh.egress.iter().map(|at| at.value.clone()).collect();
    resource
}

fn definition(linked: &LinkedMesh, documents: &Documents) -> MeshDefinition {
    let mesh = &linked.mesh;
    let keys = linked.provider.is_local().then(|| match &mesh.jwt_secret {
        Some(secret) => MeshKeys::Shared(secret.value.clone()),
        None => MeshKeys::Rsa {
            private_pem: mesh.jwt_private_key_path.as_ref().and_then(|at| documents.pem(&at.value)).cloned(),
            public_pem: mesh
                .jwt_public_key_path
                .as_ref()
                .and_then(|at| documents.pem(&at.value))
                .map(|pem| Arc::from(pem.expose())),
        },
    });
    MeshDefinition {
        identity: linked.identity.as_ref().clone(),
        provider: linked.provider.clone(),
        keys,
        token_audience: mesh.token_audience.is_some(),
        jwks_url: linked.jwks_url.as_ref().map(ToString::to_string),
    }
}
