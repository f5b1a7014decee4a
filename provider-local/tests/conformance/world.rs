//! The provider `local` as a subject of the conformance kit.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use provider_api::testkit::{
    Canary, Cannot, ChangeWorld, CredentialWorld, DocumentWorld, Exchange, MeshWorld, Placed, Placing,
    ResourceWorld, RetentionWorld, SigningKey, Subject, Trouble, TurnedClock, World, context, time_passes,
};
use provider_api::{
    BuildContext, Inventory, MeshDefinition, MeshIdentity, MeshKeys, Provider, ProviderFactory as _,
    ProviderName, Resource, Result, Secret, async_trait,
};
use provider_local::{LocalFactory, LocalSettings};
use serde_json::Value;

const SECRETS: [&str; 2] =
    ["canary-of-the-first-mesh-that-nobody-may-see", "canary-of-the-other-mesh-that-nobody-may-see"];

static PAIRS: LazyLock<[SigningKey; 2]> =
    LazyLock::new(|| ["one", "two"].map(|id| SigningKey::rsa(id).unwrap().under(None)));

/// The kind of keys of the meshes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Keys {
    Shared,
    Pairs,
}

/// The provider, with keys of one kind.
pub(crate) struct LocalSubject(pub(crate) Keys);

/// A configuration to which the checks add resources.
struct LocalWorld {
    keys: Keys,
    clock: TurnedClock,
    resources: Mutex<Vec<Resource>>,
}

#[async_trait]
impl Subject for LocalSubject {
    async fn world(&self) -> Arc<dyn World> {
        Arc::new(LocalWorld { keys: self.0, clock: TurnedClock::new(), resources: Mutex::default() })
    }
}

fn identity(name: &str, id: &str) -> MeshIdentity {
    MeshIdentity { name: name.to_owned(), id: Some(id.to_owned()) }
}

/// Returns a mesh whose tokens are for one destination each, as the kit expects it of tokens.
fn mesh(identity: MeshIdentity, keys: MeshKeys) -> MeshDefinition {
    MeshDefinition {
        identity,
        provider: ProviderName::local(),
        keys: Some(keys),
        token_audience: true,
        jwks_url: None,
    }
}

fn public(key: &SigningKey) -> Option<Arc<str>> {
    key.public_pem().map(Arc::from)
}

impl LocalWorld {
    fn keys(&self, n: usize) -> MeshKeys {
        match self.keys {
            Keys::Shared => MeshKeys::Shared(Secret::new(SECRETS[n])),
            Keys::Pairs => {
                let private_pem = PAIRS[n].private_pem().map(Secret::new);
                MeshKeys::Rsa { private_pem, public_pem: public(&PAIRS[n]) }
            }
        }
    }

    fn meshes(&self) -> Vec<MeshDefinition> {
        let verifying = MeshKeys::Rsa { private_pem: None, public_pem: public(&PAIRS[0]) };
        vec![
            mesh(identity("imaging", "01H"), self.keys(0)),
            mesh(identity("pharmacy", "02H"), self.keys(1)),
            mesh(identity("inbound", "03H"), verifying),
        ]
    }

    fn context(&self, name: &ProviderName, meshes: Vec<MeshDefinition>) -> BuildContext {
        let resources = self.resources.lock().unwrap().clone();
        let inventory = Arc::new(Inventory { resources: resources.into(), meshes });
        BuildContext { inventory, ..context(name, &self.clock) }
    }

    fn with(&self, keys: MeshKeys) -> Result<Arc<dyn Provider>> {
        let meshes = vec![mesh(identity("imaging", "01H"), keys)];
        Ok(LocalFactory.build(self.context(&ProviderName::local(), meshes), LocalSettings {})?)
    }
}

#[async_trait]
impl World for LocalWorld {
    fn names(&self) -> Vec<ProviderName> {
        vec![ProviderName::local()]
    }

    fn build(&self, name: &ProviderName) -> Result<Arc<dyn Provider>> {
        Ok(LocalFactory.build(self.context(name, self.meshes()), LocalSettings {})?)
    }

    fn bad_settings(&self) -> Vec<(String, Result<Arc<dyn Provider>>)> {
        let pem = |text: &str| MeshKeys::Rsa { private_pem: Some(Secret::new(text)), public_pem: None };
        let other = LocalFactory
            .build(self.context(&"other".parse().unwrap(), Vec::new()), LocalSettings {})
            .map_err(Into::into);
        let twice = vec![mesh(identity("imaging", "01H"), self.keys(0)); 2];
        let twice = LocalFactory
            .build(self.context(&ProviderName::local(), twice), LocalSettings {})
            .map_err(Into::into);
        let none = MeshKeys::Rsa { private_pem: None, public_pem: None };
        vec![
            ("another name".to_owned(), other),
            ("two meshes of one name".to_owned(), twice),
            ("a blank secret".to_owned(), self.with(MeshKeys::Shared(Secret::new(" ")))),
            ("no key at all".to_owned(), self.with(none)),
            ("an invalid key".to_owned(), self.with(pem(SECRETS[0]))),
        ]
    }

    fn clock(&self) -> &TurnedClock {
        &self.clock
    }

    async fn pass(&self, time: Duration) {
        self.clock.turn(time);
        time_passes(time).await;
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn canaries(&self) -> Vec<Canary> {
        let secrets = SECRETS.map(|secret| Canary::new("the secret of a mesh", secret));
        let pairs = match self.keys {
            Keys::Shared => None,
            Keys::Pairs => PAIRS[0].private_pem(),
        };
        // One line of a PEM identifies the key.
        let lines = pairs.iter().flat_map(|pem| pem.lines().filter(|line| line.len() == 64));
        secrets.into_iter().chain(lines.map(|line| Canary::new("a private key", line))).collect()
    }

    async fn trouble(&self, _: Exchange, _: &Trouble) -> Result<(), Cannot> {
        Err(Cannot::because("the provider sends no requests, so none can fail"))
    }

    async fn calm(&self) {}

    fn asked(&self) -> Result<usize, Cannot> {
        Err(Cannot::because("the provider sends no requests"))
    }

    fn changes(&self) -> Result<&dyn ChangeWorld, Cannot> {
        Err(Cannot::because("the host watches local files itself"))
    }

    fn resources(&self) -> Result<&dyn ResourceWorld, Cannot> {
        Ok(self)
    }

    fn meshes(&self) -> Result<&dyn MeshWorld, Cannot> {
        Ok(self)
    }

    fn credentials(&self) -> Result<&dyn CredentialWorld, Cannot> {
        Err(Cannot::because("the provider needs no authorization"))
    }

    fn documents(&self) -> Result<&dyn DocumentWorld, Cannot> {
        Err(Cannot::because("the provider has no remote to publish to"))
    }

    fn retention(&self) -> Result<&dyn RetentionWorld, Cannot> {
        Err(Cannot::because("the provider has no state besides the configuration"))
    }
}

#[async_trait]
impl ResourceWorld for LocalWorld {
    async fn place(&self, wanted: &Placing) -> Result<Placed, Cannot> {
        if wanted.private {
            return Err(Cannot::because("local resources have one owner, who may use all of them"));
        }
        let (kind, name) = (wanted.kind, &wanted.name);
        let id = format!("id-{kind}-{name}");
        let mut resource = Resource::new(kind, id.as_str(), name.as_str());
        resource.urls.clone_from(&wanted.urls);
        resource.enabled = wanted.enabled;
        let mut resources = self.resources.lock().unwrap();
        resources.retain(|other| other.id != id);
        resources.push(resource);
        let forms = [
            name.clone(),
            format!("local.name.{name}"),
            format!("local.id.{id}"),
            format!("local.local.id.{id}"),
            format!("local.local.{kind}.name.{name}"),
            format!("local.local.{kind}.id.{id}"),
        ];
        Ok(Placed { id, references: forms.iter().map(|form| form.parse().unwrap()).collect() })
    }

    fn is_live(&self) -> Result<(), Cannot> {
        Err(Cannot::because("the provider resolves from the configuration it was built with"))
    }
}

#[async_trait]
impl MeshWorld for LocalWorld {
    async fn mesh(&self) -> MeshIdentity {
        identity("imaging", "01H")
    }

    async fn other_mesh(&self) -> Result<MeshIdentity, Cannot> {
        Ok(identity("pharmacy", "02H"))
    }

    async fn keyless_mesh(&self) -> Result<MeshIdentity, Cannot> {
        Ok(identity("inbound", "03H"))
    }

    fn unknown_mesh(&self) -> MeshIdentity {
        identity("nowhere", "00H")
    }

    fn destination(&self) -> String {
        "https://node-b.example/r4".to_owned()
    }

    fn forbidden_destination(&self) -> Result<String, Cannot> {
        Err(Cannot::because("a member of a local mesh may send to every destination in it"))
    }

    fn sender(&self) -> String {
        "kit-gateway".to_owned()
    }

    async fn sign(&self, claims: &Value) -> Result<String, Cannot> {
        let key = match self.keys {
            Keys::Shared => SigningKey::shared(SECRETS[0]),
            Keys::Pairs => PAIRS[0].clone(),
        };
        Ok(provider_api::testkit::Jwt::new(claims.clone()).signed(&key).to_string())
    }

    async fn public_key(&self) -> Result<Vec<u8>, Cannot> {
        match self.keys {
            Keys::Shared => Err(Cannot::because("the key is a shared secret")),
            Keys::Pairs => Ok(PAIRS[0].public_pem().unwrap().into()),
        }
    }

    async fn rotate(&self) -> Result<(), Cannot> {
        Err(Cannot::because("the keys of a local mesh are part of the configuration"))
    }
}
