//! The conformance kit's view of resources.

use provider_api::testkit::{Cannot, Placed, Placing, ResourceWorld};
use provider_api::{ResourceType, Result, async_trait};

use super::world::{RunbeamWorld, THEIRS};

#[async_trait]
impl ResourceWorld for RunbeamWorld {
    async fn place(&self, wanted: &Placing) -> Result<Placed, Cannot> {
        let (kind, name) = (wanted.kind, &wanted.name);
        let of = if kind == ResourceType::Mesh { "mesh" } else { "pipeline" };
        self.cloud.seed(THEIRS, of, &document(wanted));
        let id = self.cloud.resource_id(THEIRS, kind.as_str(), name);
        if wanted.private {
            self.cloud.make_private(&id);
        }
        let forms = [
            format!("runbeam.{THEIRS}.{kind}.name.{name}"),
            format!("runbeam.{THEIRS}.{kind}.id.{id}"),
            format!("runbeam.{THEIRS}.id.{id}"),
            format!("runbeam.id.{id}"),
        ];
        Ok(Placed { references: forms.iter().map(|form| form.parse().unwrap()).collect(), id })
    }

    fn is_live(&self) -> Result<(), Cannot> {
        Ok(())
    }
}

/// The document of the other gateway that defines the resource.
fn document(wanted: &Placing) -> String {
    let Placing { kind, name, urls, enabled, .. } = wanted;
    let body = format!("type = \"http\"\nurls = {urls:?}\nenabled = {enabled}\n");
    match kind {
        ResourceType::Pipeline => format!("[pipelines.{name}]\nenabled = {enabled}\n"),
        ResourceType::Mesh => format!("[mesh.{name}]\nprovider = \"runbeam\"\n{body}"),
        ResourceType::Ingress | ResourceType::Egress => {
            format!("[pipelines.of-{name}]\n[pipelines.of-{name}.mesh.{kind}.{name}]\n{body}")
        }
        ResourceType::Endpoint => format!("[pipelines.of-{name}]\n[endpoints.{name}]\n{body}"),
        ResourceType::Backend => format!("[pipelines.of-{name}]\n[backends.{name}]\n{body}"),
    }
}
