//! The world of the conformance kit: a repository as the control plane.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use git2::{ObjectType, Oid};
use provider_api::testkit::*;
use provider_api::*;
use provider_git::GitFactory;

use crate::repository::TestRepository;

pub(crate) struct GitSubject;

struct GitWorld {
    repository: TestRepository,
    clock: TurnedClock,
    offered: AtomicUsize,
}

/// Builds a provider for a repository, with additional settings.
pub(crate) fn build(
    repository: &TestRepository,
    name: &ProviderName,
    clock: &TurnedClock,
    settings: &str,
) -> Result<Arc<dyn Provider>> {
    let mut registry = Registry::new();
    registry.register(GitFactory);
    let path = repository.path();
    let section = format!("{{ api = {:?}, team = \"edge\", {settings} }}", path.to_str().unwrap());
    let settings = ValueDeserializer::parse(&section).unwrap();
    let context = BuildContext { state_dir: repository.root().join("state"), ..context(name, clock) };
    Ok(registry.build("git", context, settings)?)
}

#[async_trait]
impl Subject for GitSubject {
    async fn world(&self) -> Arc<dyn World> {
        let repository = TestRepository::new();
        Arc::new(GitWorld { repository, clock: TurnedClock::new(), offered: AtomicUsize::new(0) })
    }
}

impl GitWorld {
    fn build_with(&self, name: &ProviderName, settings: &str) -> Result<Arc<dyn Provider>> {
        build(&self.repository, name, &self.clock, settings)
    }
}

#[async_trait]
impl World for GitWorld {
    fn names(&self) -> Vec<ProviderName> {
        ["git", "other"].map(|name| name.parse().unwrap()).into()
    }
    fn build(&self, name: &ProviderName) -> Result<Arc<dyn Provider>> {
        let allowed = self.repository.allowed();
        self.build_with(name, &format!("allowed_signers = [{allowed:?}], poll_interval_secs = 7"))
    }
    fn bad_settings(&self) -> Vec<(String, Result<Arc<dyn Provider>>)> {
        let (name, good) = (&self.names()[0], format!("allowed_signers = [{:?}]", self.repository.allowed()));
        let bad =
            |description: &str, settings: &str| (description.to_owned(), self.build_with(name, settings));
        vec![
            bad("no allowed signers", "allowed_signers = []"),
            bad("an invalid key", "allowed_signers = [\"someone ssh-ed25519 nonsense\"]"),
            bad("an invalid commit hash", &format!("{good}, after = \"yesterday\"")),
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
        Duration::from_secs(12)
    }
    fn canaries(&self) -> Vec<Canary> {
        Vec::new()
    }
    async fn trouble(&self, _: Exchange, trouble: &Trouble) -> Result<(), Cannot> {
        let (path, hidden) = (self.repository.path(), self.repository.hidden_path());
        match trouble {
            Trouble::Unreachable => {
                std::fs::rename(path, hidden).map_err(|error| Cannot::because(error.to_string()))
            }
            _ => Err(Cannot::because("a local repository exists or it does not")),
        }
    }
    async fn calm(&self) {
        std::fs::rename(self.repository.hidden_path(), self.repository.path()).ok();
    }
    fn asked(&self) -> Result<usize, Cannot> {
        Err(Cannot::because("this world cannot count reads of a repository"))
    }
    fn changes(&self) -> Result<&dyn ChangeWorld, Cannot> {
        Ok(self)
    }
    fn resources(&self) -> Result<&dyn ResourceWorld, Cannot> {
        Ok(self)
    }
    fn meshes(&self) -> Result<&dyn MeshWorld, Cannot> {
        Err(Cannot::because("the provider has no mesh tokens"))
    }
    fn credentials(&self) -> Result<&dyn CredentialWorld, Cannot> {
        Err(Cannot::because("the provider needs no credential"))
    }
    fn documents(&self) -> Result<&dyn DocumentWorld, Cannot> {
        Err(Cannot::because("the provider does not push to the repository"))
    }
    fn retention(&self) -> Result<&dyn RetentionWorld, Cannot> {
        Err(Cannot::because("the provider saves no state"))
    }
}

#[async_trait]
impl ChangeWorld for GitWorld {
    async fn offer(&self, kind: &DocumentKind, document: &str) -> Result<ChangeId, Cannot> {
        let n = self.offered.fetch_add(1, Ordering::SeqCst);
        let file = match kind {
            DocumentKind::Gateway => "config.toml".to_owned(),
            DocumentKind::Pipeline => format!("pipelines/p{n}.toml"),
            DocumentKind::Mesh => format!("mesh/m{n}.toml"),
            _ => {
                return Err(Cannot::because(
                    "the path of a file decides its kind, and no path has this kind",
                ));
            }
        };
        let commit = self.repository.commit(&format!("edge/{file}"), document, Some(&self.repository.key));
        let file = Oid::hash_object(ObjectType::Blob, file.as_bytes()).unwrap();
        Ok(ChangeId::new(format!("{commit}-{}", &file.to_string()[..16])).unwrap())
    }
    async fn offer_with_attachments(&self) -> Result<(ChangeId, Vec<Attachment>), Cannot> {
        Err(Cannot::because("a transform is a separate change, before the pipelines of its commit"))
    }
    fn unknown(&self) -> ChangeId {
        ChangeId::new("0123456789012345678901234567890123456789-0123456789012345").unwrap()
    }
    async fn heard(&self, id: &ChangeId) -> Result<Vec<Heard>, Cannot> {
        let log = self.repository.root().join("state/git-kit-gateway-git.log");
        let log = std::fs::read_to_string(log).unwrap_or_default();
        let statuses = log.lines().filter_map(|line| line.strip_prefix(id.as_str()));
        Ok(statuses
            .map(|status| match status.trim() {
                "received" => Heard::Received,
                "applied" => Heard::Applied,
                rejected => Heard::Rejected(rejected.to_owned()),
            })
            .collect())
    }
    fn cadence(&self) -> Cadence {
        Cadence::Every(Duration::from_secs(7))
    }
}

#[async_trait]
impl ResourceWorld for GitWorld {
    async fn place(&self, wanted: &Placing) -> Result<Placed, Cannot> {
        let (name, urls) = (&wanted.name, &wanted.urls);
        let table = match wanted.kind {
            _ if wanted.private => return Err(Cannot::because("read access is for the whole repository")),
            ResourceType::Ingress => format!("pipelines.p.mesh.ingress.{name}"),
            _ => return Err(Cannot::because("the provider resolves ingresses only")),
        };
        let text = format!("[{table}]\nenabled = {}\nurls = {urls:?}\n", wanted.enabled);
        self.repository.commit(&format!("partner/pipelines/{name}.toml"), &text, Some(&self.repository.key));
        let forms = ["name", "id"].map(|form| format!("git.partner.{}.{form}.{name}", wanted.kind));
        Ok(Placed { id: name.clone(), references: forms.map(|form| form.parse().unwrap()).into() })
    }
    fn is_live(&self) -> Result<(), Cannot> {
        Ok(())
    }
}
