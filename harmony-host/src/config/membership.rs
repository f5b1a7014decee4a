//! Meshes with their members: the ingresses and egresses that they name.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use provider_api::{MeshIdentity, MeshKeys, ProviderName, Reference, ResourceType};
use url::Url;

use crate::config::active_providers::ActiveProviders;
use crate::config::alternatives::KnownNames;
use crate::config::link::LinkedPipeline;
use crate::config::lookup::Lookup;
use crate::config::{Mesh, RemoteIngress, jwks_url};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Spanned;
use crate::http::url_prefix::UrlPrefix;

/// An enabled mesh with its members.
#[derive(Debug)]
pub(crate) struct LinkedMesh {
    /// The mesh.
    pub(crate) mesh: Arc<Mesh>,
    /// The name and id.
    pub(crate) identity: Arc<MeshIdentity>,
    /// The provider that issues and verifies the tokens.
    pub(crate) provider: ProviderName,
    /// The member ingresses of this gateway, as (pipeline, ingress).
    pub(crate) ingress: Vec<(String, String)>,
    /// The member egresses of this gateway, as (pipeline, egress).
    pub(crate) egress: Vec<(String, String)>,
    /// The ingress URLs in the configuration: of this gateway, and of `[remote_ingress.*]`.
    pub(crate) urls: Vec<UrlPrefix>,
    /// The URL of the published keys, if it is configured.
    pub(crate) jwks_url: Option<Url>,
    /// The ingresses whose URLs the provider resolves.
    pub(crate) remote: Vec<Reference>,
    /// Those of them in the list `egress`: requests to them carry a token, whichever pipeline sends them.
    pub(crate) destinations: Vec<Reference>,
}

/// The (pipeline, URLs) of every ingress or egress, by its name.
type Index<'a> = HashMap<&'a str, Vec<(&'a str, &'a [Spanned<UrlPrefix>])>>;

/// The candidates for members of a mesh.
struct Members<'a> {
    ingress: Index<'a>,
    egress: Index<'a>,
    /// The names of the ingresses and of the egresses, for the remedies of unknown ones.
    names: [OnceCell<KnownNames>; 2],
    remote: &'a Lookup<'a, RemoteIngress>,
    providers: &'a ActiveProviders,
}

impl LinkedMesh {
    /// Returns whether another mesh has the same ingresses and egresses of this gateway.
    pub(crate) fn has_same_members(&self, other: &Self) -> bool {
        self.mesh.name == other.mesh.name && self.ingress == other.ingress && self.egress == other.egress
    }

    /// Links all enabled meshes, sorted by name.
    pub(crate) fn all(
        meshes: &Lookup<'_, Mesh>,
        remote: &Lookup<'_, RemoteIngress>,
        pipelines: &[Arc<LinkedPipeline>],
        providers: &ActiveProviders,
        problems: &mut Problems,
    ) -> Vec<Self> {
        let mut members = Members {
            ingress: HashMap::new(),
            egress: HashMap::new(),
            names: Default::default(),
            remote,
            providers,
        };
        for linked in pipelines {
            let pipeline = linked.pipeline.name.as_str();
            let enabled: HashMap<_, _> =
                linked.ingress.iter().rev().map(|one| (one.name.as_str(), &*one.urls)).collect();
            for ingress in &linked.pipeline.ingress {
                let urls = enabled.get(ingress.name.as_str()).copied().unwrap_or_default();
                members.ingress.entry(&ingress.name).or_default().push((pipeline, urls));
            }
            for egress in &linked.pipeline.egress {
                members.egress.entry(&egress.name).or_default().push((pipeline, &[]));
            }
        }
        let mut all: Vec<Self> = meshes
            .all()
            .filter(|mesh| mesh.enabled)
            .filter_map(|mesh| members.link(mesh, problems))
            .collect();
        all.sort_by(|a, b| a.mesh.name.cmp(&b.mesh.name));
        all
    }
}

impl Members<'_> {
    fn link(&self, mesh: &Arc<Mesh>, problems: &mut Problems) -> Option<LinkedMesh> {
        let key = format!("mesh.{}", mesh.name);
        let mut linked = LinkedMesh {
            identity: Arc::new(MeshIdentity { name: mesh.name.clone(), id: mesh.id.clone() }),
            provider: ProviderName::local(),
            mesh: Arc::clone(mesh),
            ingress: Vec::new(),
            egress: Vec::new(),
            urls: Vec::new(),
            jwks_url: None,
            remote: Vec::new(),
            destinations: Vec::new(),
        };
        for at in &mesh.ingress {
            self.ingress(at, &format!("{key}.ingress"), &mut linked, problems);
        }
        let mut known: HashSet<Reference> = linked.remote.iter().cloned().collect();
        for at in &mesh.egress {
            self.egress(at, &format!("{key}.egress"), &mut linked, &mut known, problems);
        }
        let provider = mesh.provider.as_ref()?;
        match provider.value.parse::<ProviderName>() {
            Ok(name) => {
                if !self.providers.check(&name, &provider.place, &format!("{key}.provider"), problems) {
                    return None;
                }
                linked.provider = name;
            }
            Err(invalid) => {
                problems.error(Some(&provider.place), format!("{key}.provider"), invalid.to_string());
                return None;
            }
        }
        if let Some(at) = &mesh.jwks_url {
            let key = format!("{key}.jwks_url");
            linked.jwks_url = jwks_url::parse(self.providers, &linked.provider, at, &key, problems);
        }
        check_keys(&linked, &key, problems);
        if let Some(protocol) = mesh.protocol.as_ref().filter(|p| p.value == "http3") {
            let message = "this host does not support HTTP/3; the mesh uses HTTP/1.1 and HTTP/2";
            problems.warn(Some(&protocol.place), format!("{key}.type"), message);
        }
        Some(linked)
    }

    fn ingress(&self, at: &Spanned<String>, key: &str, linked: &mut LinkedMesh, problems: &mut Problems) {
        let Some(reference) = self.providers.reference(at, key, problems) else { return };
        if !reference.provider().is_local() {
            check_type(&reference, ResourceType::Ingress, at, key, problems);
            linked.remote.push(reference);
            return;
        }
        let Some(name) = local_name(&reference, ResourceType::Ingress, at, key, problems) else { return };
        if let Some((pipeline, urls)) = find_one(&self.ingress, name, at, key, problems) {
            linked.ingress.push((pipeline.to_owned(), name.to_owned()));
            linked.urls.extend(urls.iter().map(|at| at.value.clone()));
        } else if let Ok(remote) = self.remote.get(name, at.place.source()) {
            for url in &remote.urls {
                match UrlPrefix::parse(&url.value) {
                    Ok(prefix) => linked.urls.push(prefix),
                    Err(message) => {
                        problems.error(Some(&url.place), format!("remote_ingress.{name}.urls"), message);
                    }
                }
            }
        } else if !self.ingress.contains_key(name) {
            let remote = self.remote.all().map(|remote| remote.name.as_str());
            let known = || KnownNames::new(self.ingress.keys().copied().chain(remote));
            problems
                .error(
                    Some(&at.place),
                    key,
                    format!("there is no ingress and no [remote_ingress.*] called `{name}`"),
                )
                .help(self.names[0].get_or_init(known).alternatives(name));
        }
    }

    /// Links an entry of the list `egress`. `known` are the remote ingresses so far.
    fn egress(
        &self,
        at: &Spanned<String>,
        key: &str,
        linked: &mut LinkedMesh,
        known: &mut HashSet<Reference>,
        problems: &mut Problems,
    ) {
        let Some(reference) = self.providers.reference(at, key, problems) else { return };
        if !reference.provider().is_local() {
            // An ingress in this list is a destination of the mesh: requests to it carry a token of the mesh.
            if reference.resource_type() == Some(ResourceType::Ingress) {
                if known.insert(reference.clone()) {
                    linked.remote.push(reference.clone());
                }
                linked.destinations.push(reference);
                return;
            }
            // The egress is part of another gateway, so only the syntax and the type can be checked.
            check_type(&reference, ResourceType::Egress, at, key, problems);
            return;
        }
        let Some(name) = local_name(&reference, ResourceType::Egress, at, key, problems) else { return };
        if let Some((pipeline, _)) = find_one(&self.egress, name, at, key, problems) {
            linked.egress.push((pipeline.to_owned(), name.to_owned()));
        } else if !self.egress.contains_key(name) {
            let known = || KnownNames::new(self.egress.keys().copied());
            problems
                .error(Some(&at.place), key, format!("there is no egress called `{name}`"))
                .help(self.names[1].get_or_init(known).alternatives(name));
        }
    }
}

/// Adds an error if the reference names another resource type.
fn check_type(
    reference: &Reference,
    expected: ResourceType,
    at: &Spanned<String>,
    key: &str,
    problems: &mut Problems,
) {
    if let Some(other) = reference.resource_type().filter(|given| *given != expected) {
        problems.error(
            Some(&at.place),
            key,
            format!("expected a reference to an {expected}, found one to: {other}"),
        );
    }
}

/// Returns the name in a local reference; adds an error if it is an id, because local resources have none.
fn local_name<'r>(
    reference: &'r Reference,
    expected: ResourceType,
    at: &Spanned<String>,
    key: &str,
    problems: &mut Problems,
) -> Option<&'r str> {
    check_type(reference, expected, at, key, problems);
    match reference.key() {
        provider_api::ResourceKey::Name(name) => Some(name),
        provider_api::ResourceKey::Id(id) => {
            problems
                .error(
                    Some(&at.place),
                    key,
                    format!("expected the name of an {expected} of this gateway, found the id `{id}`"),
                )
                .help("write the bare name");
            None
        }
    }
}

/// Returns the only entry of `name`; adds an error if there are several.
fn find_one<'a>(
    index: &Index<'a>,
    name: &str,
    at: &Spanned<String>,
    key: &str,
    problems: &mut Problems,
) -> Option<(&'a str, &'a [Spanned<UrlPrefix>])> {
    match index.get(name).map(Vec::as_slice) {
        Some([only]) => Some(*only),
        Some(several) if several.len() > 1 => {
            let pipelines: Vec<&str> = several.iter().map(|(pipeline, _)| *pipeline).collect();
            problems
                .error(
                    Some(&at.place),
                    key,
                    format!("`{name}` is ambiguous: the pipelines {} define it", pipelines.join(", ")),
                )
                .help("give them different names");
            None
        }
        _ => None,
    }
}

/// Checks that the mesh has the keys that its provider needs.
fn check_keys(linked: &LinkedMesh, key: &str, problems: &mut Problems) {
    let mesh = &linked.mesh;
    if !linked.provider.is_local() {
        if let Some(place) = &mesh.token_audience {
            let message = format!("the provider `{}` decides about the tokens of this mesh", linked.provider);
            problems
                .error(Some(place), format!("{key}.token_audience"), message)
                .help("remove it; it is for a mesh of the provider `local`");
        }
        if mesh.id.is_none() {
            let message = format!(
                "this mesh is out of service: a mesh of the provider `{}` needs its `id`; its requests are rejected",
                linked.provider
            );
            problems.warn(Some(&mesh.place), key, message).help("copy the mesh's id from the control plane");
        }
        return;
    }
    let (private, public) = (&mesh.jwt_private_key_path, &mesh.jwt_public_key_path);
    match &mesh.jwt_secret {
        Some(secret) => {
            if secret.value.len() < MeshKeys::MIN_SHARED_BYTES {
                let message = format!(
                    "HS256 needs a secret of at least {} bytes (RFC 7518, section 3.2); the length of this one is {}",
                    MeshKeys::MIN_SHARED_BYTES,
                    secret.value.len()
                );
                problems
                    .warn(Some(&secret.place), format!("{key}.jwt_secret"), message)
                    .help("generate one with `openssl rand -base64 32`");
            }
            if let Some(path) = private.as_ref().or(public.as_ref()) {
                problems.warn(Some(&path.place), key, "`jwt_secret` is set, so this key is not used");
            }
        }
        // The key of a wrong type has its error.
        None if private.is_none() && public.is_none() && mesh.keys_are_wrong => {}
        None if private.is_none() && public.is_none() => {
            problems.error(Some(&mesh.place), key, "a local mesh needs keys to sign and verify tokens").help(
                "set jwt_secret, or jwt_private_key_path (to send) and jwt_public_key_path (to receive)",
            );
        }
        None => {
            if private.is_none() && !linked.egress.is_empty() {
                problems.warn(
                    Some(&mesh.place),
                    key,
                    "without jwt_private_key_path this gateway cannot sign for its egresses",
                );
            }
            if public.is_none() && !linked.ingress.is_empty() {
                problems.warn(
                    Some(&mesh.place),
                    key,
                    "without jwt_public_key_path this gateway cannot verify for its ingresses",
                );
            }
        }
    }
}
