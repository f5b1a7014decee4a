//! The conformance kit's view of meshes.

use harmony_tests::get;
use provider_api::testkit::{Cannot, MeshWorld};
use provider_api::{MeshIdentity, Result, async_trait};
use serde_json::Value;

use super::world::{GATEWAY, RunbeamWorld, THEIRS};

const DESTINATION: &str = "https://api.partner.example/r4";

impl RunbeamWorld {
    /// Creates a mesh with our egress and the other team's ingress.
    fn joined(&self, name: &str, id: &str) -> MeshIdentity {
        let theirs = format!(
            "[pipelines.in-{name}]\n[pipelines.in-{name}.mesh.ingress.{name}-api]\ntype = \"http\"\n\
             urls = [\"{DESTINATION}\"]\n"
        );
        let ours = format!(
            "[pipelines.out-{name}]\n[pipelines.out-{name}.mesh.egress.{name}-out]\ntype = \"http\"\n"
        );
        let mesh = format!(
            "[mesh.{name}]\nid = \"{id}\"\ntype = \"http\"\nprovider = \"runbeam\"\nauth_type = \"jwt\"\n\
             ingress = [\"runbeam.{THEIRS}.ingress.name.{name}-api\"]\negress = [\"{name}-out\"]\n"
        );
        // Generates the first key now: generating it is slow, and no call of the kit should have to wait for it.
        self.cloud.signed(&Value::Null);
        self.cloud.seed(THEIRS, "pipeline", &theirs);
        self.cloud.seed(GATEWAY, "pipeline", &ours);
        let id = self.cloud.mesh(GATEWAY, &mesh);
        MeshIdentity { name: name.to_owned(), id: Some(id) }
    }
}

#[async_trait]
impl MeshWorld for RunbeamWorld {
    async fn mesh(&self) -> MeshIdentity {
        self.joined("imaging", "01J0000000000000000000000A")
    }

    async fn other_mesh(&self) -> Result<MeshIdentity, Cannot> {
        Ok(self.joined("pharmacy", "01J0000000000000000000000B"))
    }

    async fn keyless_mesh(&self) -> Result<MeshIdentity, Cannot> {
        Err(Cannot::because("the control plane signs"))
    }

    fn unknown_mesh(&self) -> MeshIdentity {
        MeshIdentity { name: "nowhere".to_owned(), id: Some("01J0000000000000000000000Z".to_owned()) }
    }

    fn destination(&self) -> String {
        DESTINATION.to_owned()
    }

    fn forbidden_destination(&self) -> Result<String, Cannot> {
        Ok("https://elsewhere.example/r4".to_owned())
    }

    fn sender(&self) -> String {
        self.cloud.gateway_id(GATEWAY)
    }

    async fn sign(&self, claims: &Value) -> Result<String, Cannot> {
        Ok(self.cloud.signed(claims))
    }

    async fn public_key(&self) -> Result<Vec<u8>, Cannot> {
        let set = get(format!("{}/.well-known/jwks.json", self.cloud.url())).await.unwrap();
        let set: Value = set.json().await.unwrap();
        Ok(set["keys"][0]["n"].as_str().unwrap().into())
    }

    async fn rotate(&self) -> Result<(), Cannot> {
        self.cloud.rotate_keys();
        Ok(())
    }
}
