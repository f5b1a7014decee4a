//! The push of the local configuration to the control plane.

use std::fmt;

use provider_api::{DocumentKind, Publication, Publisher, Registry, Result};
use serde::Serialize;
use toml_edit::DocumentMut;

use crate::config::Fragment;
use crate::providers::isolate::isolated;
use crate::snapshot::Snapshot;

/// The report of one push.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct PushReport {
    /// The bytes of config.toml as it was sent.
    pub config_size: usize,
    /// The number of pushed pipeline files.
    pub pipeline_count: usize,
    /// The number of pushed transforms.
    pub transform_count: usize,
    /// The number of pushed mesh files.
    pub mesh_count: usize,
    /// The number of mesh files that were not pushed, because they contain keys.
    pub kept_count: usize,
}

/// Pushes the configuration that is served up to the control plane. What is secret stays here: the management
/// token, and meshes whose keys are in their files.
///
/// # Errors
/// The first document that was not taken, and why.
pub(super) async fn push(
    publisher: &dyn Publisher,
    snapshot: &Snapshot,
    registry: &Registry,
) -> Result<PushReport> {
    let mut report = PushReport::default();
    for fragment in snapshot.documents.fragments() {
        let text = fragment.source.text();
        if fragment.gateway.is_some() {
            let document = without_secrets(text, registry);
            report.config_size = document.len();
            publish(publisher, &DocumentKind::Gateway, None, &document).await?;
        } else if holds_keys(fragment) {
            report.kept_count += 1;
        } else if !fragment.pipelines.is_empty() {
            publish(publisher, &DocumentKind::Pipeline, None, text).await?;
            report.pipeline_count += 1;
        } else if let Some(mesh) = fragment.meshes.first() {
            let id = mesh.id.as_deref();
            publish(publisher, &DocumentKind::Mesh, id, text).await?;
            report.mesh_count += 1;
        }
    }
    for (name, instructions) in snapshot.documents.transforms() {
        let mut document = DocumentMut::new();
        let mut section = toml_edit::Table::new();
        section.insert("instructions", toml_edit::value(instructions));
        let mut all = toml_edit::Table::new();
        all.set_implicit(true);
        all.insert(name, toml_edit::Item::Table(section));
        document.insert("transform", toml_edit::Item::Table(all));
        publish(publisher, &DocumentKind::Transform, None, &document.to_string()).await?;
        report.transform_count += 1;
    }
    Ok(report)
}

async fn publish(
    publisher: &dyn Publisher,
    kind: &DocumentKind,
    id: Option<&str>,
    document: &str,
) -> Result<()> {
    let published = isolated(publisher.publish(&Publication { kind, id, document })).await?;
    tracing::debug!(kind = kind.as_str(), id = published.id, created = published.created, "document pushed");
    Ok(())
}

fn holds_keys(fragment: &Fragment) -> bool {
    fragment.meshes.iter().any(|mesh| mesh.jwt_secret.is_some())
}

/// Returns config.toml without the secrets of this gateway.
fn without_secrets(text: &str, registry: &Registry) -> String {
    let Ok(mut document) = text.parse::<DocumentMut>() else { return String::new() };
    if let Some(management) = document.get_mut("management").and_then(toml_edit::Item::as_table_like_mut) {
        management.remove("token");
    }
    if let Some(meshes) = document.get_mut("mesh").and_then(toml_edit::Item::as_table_like_mut) {
        for (_, mesh) in meshes.iter_mut() {
            if let Some(mesh) = mesh.as_table_like_mut() {
                mesh.remove("jwt_secret");
            }
        }
    }
    if let Some(providers) = document.get_mut("provider").and_then(toml_edit::Item::as_table_like_mut) {
        for (name, section) in providers.iter_mut() {
            let Some(section) = section.as_table_like_mut() else { continue };
            let provider_type = section.get("type").and_then(toml_edit::Item::as_str).unwrap_or(name.get());
            let public =
                registry.profile(provider_type).map(|profile| profile.public_keys).unwrap_or_default();
            let private: Vec<String> = section
                .iter()
                .map(|(key, _)| key.to_owned())
                .filter(|key| !public.contains(&key.as_str()) && !HOST_KEYS.contains(&key.as_str()))
                .collect();
            for key in private {
                section.remove(&key);
            }
        }
    }
    document.to_string()
}

/// The keys of `[provider.*]` that the host reads itself.
const HOST_KEYS: [&str; 3] = ["type", "poll_interval_secs", "enabled"];

impl fmt::Display for PushReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config_size, pipeline_count, transform_count, mesh_count, kept_count } = self;
        write!(
            f,
            "config.toml ({config_size} bytes), {pipeline_count} pipelines, {transform_count} transforms, {mesh_count} meshes"
        )?;
        if *kept_count > 0 {
            write!(f, "; {kept_count} meshes with keys of their own were kept here")?;
        }
        Ok(())
    }
}
