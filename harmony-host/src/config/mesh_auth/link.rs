//! Linking of the `mesh_auth` of pipelines with their meshes.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::config::active_providers::ActiveProviders;
use crate::config::alternatives::{alternatives, join_names};
use crate::config::lookup::Lookup;
use crate::config::mesh_auth::{Direction, MeshAuth, TokenRule, facts};
use crate::config::{Destination, LinkedMesh, LinkedPipeline, Mesh, Middleware, jwks_url};
use crate::diagnostics::problem::Problems;
use crate::http::url_prefix::UrlPrefix;

/// The meshes of a configuration.
pub(crate) struct Meshes<'a> {
    /// Every definition, also of disabled meshes.
    pub(crate) defined: &'a Lookup<'a, Mesh>,
    /// The enabled meshes.
    pub(crate) linked: &'a mut [LinkedMesh],
    pub(crate) providers: &'a ActiveProviders,
    /// The directory that paths are relative to.
    pub(crate) root: &'a Path,
}

impl Meshes<'_> {
    /// Sets the token rules of the pipelines, and checks every `mesh_auth`, also one that no pipeline uses.
    pub(crate) fn link(
        &mut self,
        pipelines: &mut [Arc<LinkedPipeline>],
        middleware: &Lookup<'_, Middleware>,
        problems: &mut Problems,
    ) {
        for auth in middleware.all().filter_map(|one| one.mesh_auth.as_ref()) {
            if let Some(mesh) = self.chosen(auth, problems).flatten() {
                facts::check(auth, &mesh, self.root, problems);
            }
        }
        for pipeline in pipelines {
            let (mut ingress, mut egress) = (None::<TokenRule>, None::<TokenRule>);
            for auth in &pipeline.mesh_auth {
                let rule = self.rule(auth, pipeline, problems);
                let side = match auth.direction {
                    Direction::Ingress => &mut ingress,
                    Direction::Egress => &mut egress,
                };
                side.get_or_insert_default().add(rule);
            }
            // A pipeline of the configuration before has rules already, for the meshes of that time.
            if pipeline.ingress_auth != ingress || pipeline.egress_auth != egress {
                let changed = Arc::make_mut(pipeline);
                (changed.ingress_auth, changed.egress_auth) = (ingress, egress);
            }
        }
    }

    /// Returns the rule of one `mesh_auth` of a pipeline.
    fn rule(&mut self, auth: &MeshAuth, pipeline: &LinkedPipeline, problems: &mut Problems) -> TokenRule {
        let mut rule = TokenRule { required: auth.required, ..TokenRule::default() };
        let names: Vec<String> = match self.chosen(auth, problems) {
            // The configuration is rejected.
            None => {
                rule.named = Some(BTreeSet::new());
                return rule;
            }
            Some(Some(mesh)) => {
                facts::check_keys(auth, &mesh, problems);
                rule.named = Some(BTreeSet::from([mesh.name.clone()]));
                vec![mesh.name.clone()]
            }
            Some(None) => {
                let own = self.linked.iter().filter(|mesh| belongs(mesh, pipeline, auth.direction));
                let own: Vec<Arc<Mesh>> = own.map(|linked| Arc::clone(&linked.mesh)).collect();
                own.iter().for_each(|mesh| facts::check(auth, mesh, self.root, problems));
                rule.own = true;
                own.iter().map(|mesh| mesh.name.clone()).collect()
            }
        };
        let described = auth.described();
        if rule.own && rule.required && !described.is_empty() {
            // The tokens of a mesh that was not compared could differ from the description.
            rule.named = Some(names.iter().cloned().collect());
        }
        for (option, place) in described.into_iter().filter(|_| names.is_empty()) {
            let message = format!(
                "the pipeline `{}` belongs to no enabled mesh that this could describe",
                pipeline.pipeline.name
            );
            problems.warn(Some(place), auth.key(option), message).help("choose the mesh with `mesh_name`");
        }
        self.jwks_url(auth, &names, problems);
        rule.destinations
            .extend(self.destination(auth, pipeline, &names, problems).filter(|_| auth.required));
        rule
    }

    /// Returns the mesh that `mesh_name` and `mesh_id` choose, `Some(None)` without either of them, and `None` after an
    /// error.
    fn chosen(&self, auth: &MeshAuth, problems: &mut Problems) -> Option<Option<Arc<Mesh>>> {
        let by_name = match &auth.mesh_name {
            Some(at) => Some(self.defined.find(at, &auth.key("mesh_name"), problems)?),
            None => None,
        };
        let Some(at) = &auth.mesh_id else { return Some(by_name) };
        let key = auth.key("mesh_id");
        if let Some(mesh) = by_name {
            if id(&mesh) == at.value {
                return Some(Some(mesh));
            }
            let message = match &mesh.id {
                Some(id) => format!("the mesh `{}` has the id `{}`", mesh.name, id.escape_debug()),
                None => format!("the mesh `{}` has no `id`", mesh.name),
            };
            problems.error(Some(&at.place), key, message).help("delete one of `mesh_name` and `mesh_id`");
            return None;
        }
        let mut found: Vec<&Arc<Mesh>> = self.defined.all().filter(|mesh| id(mesh) == at.value).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        match found.as_slice() {
            [only] => Some(Some(Arc::clone(only))),
            [] => {
                let mut known: Vec<&str> = self.defined.all().map(|mesh| id(mesh)).collect();
                known.sort_unstable();
                let message = format!("there is no mesh with the id `{}`", at.value.escape_debug());
                problems.error(Some(&at.place), key, message).help(alternatives(&at.value, &known));
                None
            }
            several => {
                let names: Vec<&str> = several.iter().map(|mesh| mesh.name.as_str()).collect();
                let message = format!("several meshes have this id: {}", join_names(&names));
                problems.error(Some(&at.place), key, message).help("choose one with `mesh_name`");
                None
            }
        }
    }

    /// Sets the `jwks_url` of the meshes with these names; adds an error if they have another one.
    fn jwks_url(&mut self, auth: &MeshAuth, names: &[String], problems: &mut Problems) {
        let Some(at) = &auth.jwks_url else { return };
        let key = auth.key("jwks_url");
        for linked in self.linked.iter_mut().filter(|linked| names.contains(&linked.mesh.name)) {
            let Some(url) = jwks_url::parse(self.providers, &linked.provider, at, &key, problems) else {
                return;
            };
            let used = linked.jwks_url.get_or_insert_with(|| url.clone());
            if *used != url {
                let message = format!("the keys of the mesh `{}` are at {used}", linked.mesh.name);
                problems.error(Some(&at.place), &key, message).help("write that URL, or delete the key");
            }
        }
    }

    /// Returns the URL that requests must be sent below; adds an error for one that is no destination of the meshes with
    /// these names, or that the backend does not send to.
    fn destination(
        &self,
        auth: &MeshAuth,
        pipeline: &LinkedPipeline,
        names: &[String],
        problems: &mut Problems,
    ) -> Option<UrlPrefix> {
        let at = auth.destination_url.as_ref().filter(|_| auth.direction == Direction::Egress)?;
        let key = auth.key("destination_url");
        let url = match UrlPrefix::parse(&at.value) {
            Ok(url) => url,
            Err(message) => {
                problems.error(Some(&at.place), key, message);
                return None;
            }
        };
        let meshes: Vec<&LinkedMesh> =
            self.linked.iter().filter(|linked| names.contains(&linked.mesh.name)).collect();
        let known: Vec<&UrlPrefix> = meshes.iter().flat_map(|mesh| &mesh.urls).collect();
        // The URLs of a reference are known when it is resolved; until then no request leaves.
        let resolved_later = meshes.iter().any(|mesh| !mesh.remote.is_empty());
        if !meshes.is_empty() && !resolved_later && !known.iter().any(|member| member.covers(&url, "")) {
            let known: Vec<&str> = known.iter().map(|url| url.as_str()).collect();
            let message = format!("this is no destination of the mesh {}", names.join(", "));
            problems
                .error(Some(&at.place), key, message)
                .help(format!("expected one of: {}", join_names(&known)));
            return None;
        }
        let backend = pipeline.backend.as_ref();
        if let Some(Destination::Url(base)) = backend.map(|backend| &backend.destination)
            && let Ok(base) = UrlPrefix::of(base)
            && !url.covers(&base, "")
            && !base.covers(&url, "")
        {
            let message = format!("the backend of the pipeline `{}` sends to {base}", pipeline.pipeline.name);
            problems.error(Some(&at.place), key, message).help("write that URL, or delete the key");
            return None;
        }
        Some(url)
    }
}

/// Returns the id of a mesh in its tokens: the name of a mesh without one.
fn id(mesh: &Mesh) -> &str {
    mesh.id.as_deref().unwrap_or(&mesh.name)
}

/// Returns whether a pipeline belongs to a mesh on one side.
fn belongs(mesh: &LinkedMesh, linked: &LinkedPipeline, direction: Direction) -> bool {
    let pipeline = linked.pipeline.name.as_str();
    let named = |all: &[(String, String)], name: &str| all.iter().any(|(p, n)| p == pipeline && n == name);
    match direction {
        Direction::Ingress => linked.ingress.iter().any(|ingress| named(&mesh.ingress, &ingress.name)),
        Direction::Egress => {
            let destination = linked.backend.as_ref().map(|backend| &backend.destination);
            let listed = match destination {
                Some(Destination::Resource(reference)) => mesh.destinations.contains(reference),
                _ => false,
            };
            listed || linked.egress.iter().any(|egress| named(&mesh.egress, &egress.name))
        }
    }
}
