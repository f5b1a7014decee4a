//! A call of the contract that a check makes, and its correct result.

use super::outcome::Stop;
use super::world::{Placing, World};
use super::{Cannot, Exchange};
use crate::{
    ChangeId, ChangeStatus, CredentialStatus, DocumentKind, EnrollmentRequest, Error, Expected, MeshIdentity,
    Pending, Provider, Publication, Reference, ResourceType, TokenRequest,
};

/// A call of the contract with its arguments and its correct result. A check may make it any number of times.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Pending { id: ChangeId },
    Fetch { id: ChangeId, document: String },
    Report { id: ChangeId },
    Resolve { reference: Reference, id: String },
    Issue { request: TokenRequest },
    Verify { mesh: MeshIdentity, url: String, token: String },
    Enroll { request: Box<EnrollmentRequest> },
    Publish { kind: DocumentKind, document: String },
}

/// The result of a call.
#[derive(Debug)]
pub(super) enum CallResult {
    Correct,
    Incorrect(String),
    Failed(Error),
}

/// Returns a valid pipeline document. The umlaut shows a provider that breaks the encoding.
pub(super) fn document(n: usize) -> String {
    format!("[pipelines.kit-{n}]\nnetworks = [\"default\"]\nendpoints = []\n# ümlaut {n}\n")
}

impl Call {
    /// Prepares the world for a call. Build the provider afterwards, then call [`complete`](Self::complete).
    pub(super) async fn prepare(world: &dyn World, exchange: Exchange) -> Result<Self, Cannot> {
        Ok(match exchange {
            Exchange::Pending | Exchange::Fetch | Exchange::Report => {
                let document = document(1);
                let id = world.changes()?.offer(&DocumentKind::Pipeline, &document).await?;
                match exchange {
                    Exchange::Pending => Self::Pending { id },
                    Exchange::Fetch => Self::Fetch { id, document },
                    _ => Self::Report { id },
                }
            }
            Exchange::Resolve => {
                let wanted = Placing::new(ResourceType::Ingress, "kit-api", &["https://kit.example/r4"]);
                let placed = world.resources()?.place(&wanted).await?;
                let reference = placed.references.into_iter().next();
                let reference = reference
                    .ok_or_else(|| Cannot::because("the world returned no reference to its resource"))?;
                Self::Resolve { reference, id: placed.id }
            }
            Exchange::Issue | Exchange::Keys => {
                let meshes = world.meshes()?;
                let (mesh, sender) = (meshes.mesh().await, meshes.sender());
                Self::Issue { request: TokenRequest { mesh, destination: meshes.destination(), sender } }
            }
            Exchange::Enroll => Self::Enroll { request: Box::new(world.credentials()?.request().await) },
            Exchange::Publish => {
                let (kind, document) = world.documents()?.document();
                Self::Publish { kind, document }
            }
        })
    }

    /// Completes the call with data from the provider: a token to verify.
    pub(super) async fn complete(self, provider: &dyn Provider, exchange: Exchange) -> Result<Self, Stop> {
        let Self::Issue { request } = self else { return Ok(self) };
        if exchange == Exchange::Issue {
            return Ok(Self::Issue { request });
        }
        let meshes = provider.mesh_auth().ok_or_else(|| absent("mesh_auth"))?;
        match meshes.issue(&request).await {
            Ok(token) => {
                let token = token.token.expose().to_owned();
                Ok(Self::Verify { mesh: request.mesh, url: request.destination, token })
            }
            Err(error) => Err(Stop::Failed(format!("the provider did not issue a token: {error:?}"))),
        }
    }

    /// Fails when the provider does not have the ability that the call needs.
    pub(super) fn require_ability(&self, provider: &dyn Provider) -> Result<(), Stop> {
        let (is_there, ability) = match self {
            Self::Pending { .. } | Self::Fetch { .. } | Self::Report { .. } => {
                (provider.source().is_some(), "source")
            }
            Self::Resolve { .. } => (provider.resolver().is_some(), "resolver"),
            Self::Issue { .. } | Self::Verify { .. } => (provider.mesh_auth().is_some(), "mesh_auth"),
            Self::Enroll { .. } => (provider.enrollment().is_some(), "enrollment"),
            Self::Publish { .. } => (provider.publisher().is_some(), "publisher"),
        };
        if is_there { Ok(()) } else { Err(absent(ability)) }
    }

    /// Makes the call once.
    pub(super) async fn run(&self, provider: &dyn Provider) -> CallResult {
        match self.evaluate(provider).await {
            None => CallResult::Incorrect("the provider has lost the ability".to_owned()),
            Some(Ok(None)) => CallResult::Correct,
            Some(Ok(Some(wrong))) => CallResult::Incorrect(wrong),
            Some(Err(error)) => CallResult::Failed(error),
        }
    }

    /// Returns `None` without the ability, else a description of a wrong result, or the error.
    async fn evaluate(&self, provider: &dyn Provider) -> Option<Result<Option<String>, Error>> {
        let wrong = |holds: bool, got: &dyn std::fmt::Debug| {
            (!holds).then(|| format!("the provider returned {got:?}"))
        };
        Some(match self {
            Self::Pending { id } => provider.source()?.pending().await.map(|pending| {
                let listed = match &pending {
                    Pending::Changes(heads) => heads.iter().any(|head| head.id == *id),
                    Pending::Unchanged => true,
                };
                wrong(listed, &pending)
            }),
            Self::Fetch { id, document } => provider.source()?.fetch(id).await.map(|change| {
                let right = change.id == *id && change.document == *document;
                wrong(right && change.kind == DocumentKind::Pipeline, &change)
            }),
            Self::Report { id } => {
                provider.source()?.report(id, &ChangeStatus::Received).await.map(|()| None)
            }
            Self::Resolve { reference, id } => provider
                .resolver()?
                .resolve(reference)
                .await
                .map(|resolved| wrong(resolved.resource.id == *id, &resolved)),
            Self::Issue { request } => provider.mesh_auth()?.issue(request).await.map(|token| {
                wrong(token.token.expose().matches('.').count() == 2, &"a token that is not a JWT")
            }),
            Self::Verify { mesh, url, token } => {
                let claims = provider.mesh_auth()?.verify(&Expected { mesh, url }, token).await;
                claims.map(|claims| wrong(claims.mesh_id == mesh.mesh_id(), &claims))
            }
            Self::Enroll { request } => {
                let enrollment = provider.enrollment()?;
                enrollment.enroll(request).await.map(|enrolled| {
                    let valid = matches!(enrollment.credential_status(), CredentialStatus::Valid { .. });
                    wrong(valid && !enrolled.gateway_id.trim().is_empty(), &enrolled)
                })
            }
            Self::Publish { kind, document } => {
                let publication = Publication { kind, id: None, document };
                let published = provider.publisher()?.publish(&publication).await;
                published.map(|published| wrong(!published.id.trim().is_empty(), &published))
            }
        })
    }
}

fn absent(ability: &str) -> Stop {
    Stop::Failed(format!("`{ability}()` is None, but the world supports the ability"))
}
