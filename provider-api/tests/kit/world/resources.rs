//! The resources of the reference world.

use provider_api::testkit::{Cannot, Placed, Placing, ResourceWorld};
use provider_api::{Resource, Result, async_trait};

use super::ReferenceWorld;

#[async_trait]
impl ResourceWorld for ReferenceWorld {
    async fn place(&self, wanted: &Placing) -> Result<Placed, Cannot> {
        let (kind, name) = (wanted.kind, &wanted.name);
        let id = format!("id-{kind}-{name}");
        let mut resource = Resource::new(kind, id.as_str(), name.as_str());
        resource.urls.clone_from(&wanted.urls);
        resource.enabled = wanted.enabled;
        let mut state = self.control_plane.state();
        state.resources.retain(|(other, _)| other.id != id);
        state.resources.push((resource, wanted.private));
        let forms = [
            format!("reference.acme.{kind}.name.{name}"),
            format!("reference.acme.{kind}.id.{id}"),
            format!("reference.acme.id.{id}"),
            format!("reference.id.{id}"),
        ];
        Ok(Placed { id, references: forms.iter().map(|form| form.parse().unwrap()).collect() })
    }

    fn is_live(&self) -> Result<(), Cannot> {
        Ok(())
    }
}
