//! The meshes of the reference world.

use provider_api::testkit::{Cannot, MeshWorld};
use provider_api::{MeshIdentity, Result, async_trait};
use serde_json::Value;

use super::ReferenceWorld;
use crate::control_plane::KEYS;
use crate::control_plane::handle::REACHABLE;
use crate::mesh_auth::KEYLESS;

fn mesh(name: &str, id: &str) -> MeshIdentity {
    MeshIdentity { name: name.to_owned(), id: Some(id.to_owned()) }
}

#[async_trait]
impl MeshWorld for ReferenceWorld {
    async fn mesh(&self) -> MeshIdentity {
        mesh("imaging", "mesh-1")
    }

    async fn other_mesh(&self) -> Result<MeshIdentity, Cannot> {
        Ok(mesh("pharmacy", "mesh-2"))
    }

    async fn keyless_mesh(&self) -> Result<MeshIdentity, Cannot> {
        Ok(mesh("inbound", KEYLESS))
    }

    fn unknown_mesh(&self) -> MeshIdentity {
        mesh("nowhere", "mesh-0")
    }

    fn destination(&self) -> String {
        REACHABLE.to_owned()
    }

    fn forbidden_destination(&self) -> Result<String, Cannot> {
        Ok("https://forbidden.kit.example/r4".to_owned())
    }

    fn sender(&self) -> String {
        "gateway-1".to_owned()
    }

    async fn sign(&self, claims: &Value) -> Result<String, Cannot> {
        Ok(self.control_plane.state().sign(claims))
    }

    async fn public_key(&self) -> Result<Vec<u8>, Cannot> {
        Ok(KEYS[0].public_pem().unwrap().into())
    }

    async fn rotate(&self) -> Result<(), Cannot> {
        self.control_plane.state().signing = 1;
        Ok(())
    }
}
