//! The push of the local configuration to the control plane.

use std::fmt;
use std::sync::Arc;

use provider_api::{DocumentKind, Error, ErrorKind, Publication, Publisher, Registry, Result};
use serde::Serialize;
use toml_edit::DocumentMut;

use crate::diagnostics::logged::counted;
use crate::documents::{public, secrecy};
use crate::providers::isolate::{error_chain, isolated};
use crate::snapshot::Snapshot;

/// The report of one push.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct PushReport {
    /// The number of bytes of all pushed documents.
    pub config_size: usize,
    /// The number of pushed pipeline files.
    pub pipeline_count: usize,
    /// The number of pushed transforms.
    pub transform_count: usize,
    /// The number of pushed mesh files.
    pub mesh_count: usize,
    /// The number of documents that were not pushed, because a secret in them cannot be left out.
    pub kept_count: usize,
    /// The documents that could not be pushed, and the reasons.
    pub failed: Vec<PushFailure>,
}

/// A document that could not be pushed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PushFailure {
    /// The file.
    pub document: String,
    /// The reason.
    pub error: String,
}

/// The number of consecutive documents that may find the control plane unavailable before the push ends.
const MISSES: usize = 3;

/// Pushes the served configuration to the control plane, each document without its secrets. A transform with a secret is
/// not pushed.
///
/// A document that the control plane does not accept does not stop the push of the others.
///
/// # Errors
/// The first failure, if no document was pushed.
pub(super) async fn push(
    publisher: &dyn Publisher,
    snapshot: &Snapshot,
    registry: &Registry,
) -> Result<PushReport> {
    let mut push = Push { publisher, report: PushReport::default(), pushed: 0, misses: 0, first: None };
    let mut decision = Arc::default();
    for fragment in snapshot.documents.fragments() {
        let name = fragment.source.name();
        decision = fragment.source.sensitive();
        let Some(document) = public::without_secrets(fragment.source.text(), &decision, registry) else {
            push.report.kept_count += 1;
            continue;
        };
        if fragment.gateway.is_some() {
            push.publish(name, &DocumentKind::Gateway, None, &document).await;
        } else if !fragment.pipelines.is_empty() {
            let pushed = push.publish(name, &DocumentKind::Pipeline, None, &document).await;
            push.report.pipeline_count += usize::from(pushed);
        } else if let Some(mesh) = fragment.meshes.first() {
            let id = mesh.id.as_deref();
            let pushed = push.publish(name, &DocumentKind::Mesh, id, &document).await;
            push.report.mesh_count += usize::from(pushed);
        }
    }
    for (name, instructions) in snapshot.documents.transforms() {
        if secrecy::json_holds_secret(instructions, &decision) {
            tracing::warn!(transform = name, "the transform is not pushed: it may hold a secret");
            push.report.kept_count += 1;
            continue;
        }
        let mut document = DocumentMut::new();
        let mut section = toml_edit::Table::new();
        section.insert("name", toml_edit::value(name));
        section.insert("instructions", toml_edit::value(instructions));
        let mut all = toml_edit::Table::new();
        all.set_implicit(true);
        all.insert(name, toml_edit::Item::Table(section));
        document.insert("transform", toml_edit::Item::Table(all));
        let file = format!("transforms/{name}.json");
        let pushed = push.publish(&file, &DocumentKind::Transform, None, &document.to_string()).await;
        push.report.transform_count += usize::from(pushed);
    }
    match push.first {
        Some(error) if push.pushed == 0 => Err(error),
        _ => Ok(push.report),
    }
}

/// A push under way.
struct Push<'a> {
    publisher: &'a dyn Publisher,
    report: PushReport,
    pushed: usize,
    /// The number of documents in a row that found the control plane unavailable.
    misses: usize,
    first: Option<Error>,
}

impl Push<'_> {
    /// Pushes one document. Returns whether the control plane took it.
    async fn publish(&mut self, file: &str, kind: &DocumentKind, id: Option<&str>, document: &str) -> bool {
        let result = match self.misses < MISSES {
            true => isolated(self.publisher.publish(&Publication { kind, id, document })).await,
            false => Err(Error::unavailable("not tried, because the control plane is unavailable")),
        };
        match result {
            Ok(published) => {
                let (id, created) = (published.id, published.created);
                tracing::debug!(kind = kind.as_str(), id, created, "document pushed");
                self.report.config_size += document.len();
                (self.pushed, self.misses) = (self.pushed + 1, 0);
                true
            }
            Err(error) => {
                self.misses = if error.kind() == ErrorKind::Unavailable { self.misses + 1 } else { 0 };
                let failure = PushFailure { document: file.to_owned(), error: error_chain(&error) };
                tracing::warn!(document = failure.document, error = failure.error, "document not pushed");
                self.report.failed.push(failure);
                self.first.get_or_insert(error);
                false
            }
        }
    }
}

impl fmt::Display for PushReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config_size, pipeline_count, transform_count, mesh_count, kept_count, failed } = self;
        write!(
            f,
            "{config_size} bytes: {}, {}, {}",
            counted(*pipeline_count, "pipeline"),
            counted(*transform_count, "transform"),
            counted(*mesh_count, "mesh")
        )?;
        if *kept_count > 0 {
            write!(f, "; {kept_count} with secrets were not pushed")?;
        }
        for PushFailure { document, error } in failed {
            write!(f, "; {document} was not pushed: {error}")?;
        }
        Ok(())
    }
}
