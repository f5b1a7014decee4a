use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::changes::fine;
use crate::testkit::stage::{ability, built, within};
use crate::testkit::verdict::{Stop, Verdict, ensure, failed};
use crate::testkit::{Canary, Subject, World, seen_in_debug, seen_in_error};
use crate::{
    Claims, Clock as _, Error, ErrorKind, Expected, MeshAuth, MeshIdentity, MeshToken, Provider, Result,
    TokenRequest,
};

/// A mesh, a provider in it, and a token that it issued.
pub(super) struct Issued {
    pub(super) world: Arc<dyn World>,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) mesh: MeshIdentity,
    /// Where the token leads.
    pub(super) url: String,
    pub(super) token: String,
}

fn mesh_auth(provider: &dyn Provider) -> Result<&dyn MeshAuth, Stop> {
    ability(provider.mesh_auth(), "mesh_auth")
}

async fn issue(
    world: &dyn World,
    provider: &dyn Provider,
    mesh: &MeshIdentity,
    destination: &str,
) -> Result<Result<MeshToken>, Stop> {
    let sender = world.meshes()?.sender();
    let request = TokenRequest { mesh: mesh.clone(), destination: destination.to_owned(), sender };
    within(world, mesh_auth(provider)?.issue(&request)).await
}

impl Issued {
    pub(super) async fn by(subject: &dyn Subject) -> Result<Self, Stop> {
        let world = subject.world().await;
        let mesh = world.meshes()?.mesh().await;
        let url = world.meshes()?.destination();
        let provider = built(&*world)?;
        let token = fine("issue", issue(&*world, &*provider, &mesh, &url).await?)?;
        let token = token.token.expose().to_owned();
        Ok(Self { world, provider, mesh, url, token })
    }

    pub(super) async fn verify(&self, url: &str, token: &str) -> Result<Result<Claims>, Stop> {
        let expected = Expected { mesh: &self.mesh, url };
        within(&*self.world, mesh_auth(&*self.provider)?.verify(&expected, token)).await
    }

    pub(super) async fn accepted(&self, what: &str, url: &str, token: &str) -> Result<Claims, Stop> {
        fine(what, self.verify(url, token).await?)
    }

    /// Denied, and the reason says nothing that could be used.
    pub(super) async fn denied(&self, what: &str, url: &str, token: &str) -> Result<Error, Stop> {
        let error = match self.verify(url, token).await? {
            Err(error) if error.kind() == ErrorKind::Denied => error,
            Err(error) => return failed(format!("{what}: expected Denied, got {:?}: {error}", error.kind())),
            Ok(claims) => return failed(format!("{what}: it was accepted: {claims:?}")),
        };
        let seen = seen_in_error(&[Canary::new("the token", token)], &error);
        ensure!(seen.is_none(), "{what}: the reason shows the token");
        Ok(error)
    }
}

pub(crate) async fn what_is_issued_is_accepted(subject: &dyn Subject) -> Verdict {
    let issued = Issued::by(subject).await?;
    let claims = issued.accepted("its own token", &issued.url, &issued.token).await?;
    let mesh = issued.mesh.mesh_id();
    ensure!(claims.mesh_id == mesh, "the claims are for the mesh `{}`, not `{mesh}`", claims.mesh_id);
    ensure!(!claims.subject.trim().is_empty(), "the claims say of nobody who sends");
    Ok(())
}

/// The host keeps an issued token until shortly before its end, so the end must be true.
pub(crate) async fn a_token_ends_when_it_says(subject: &dyn Subject) -> Verdict {
    let issued = Issued::by(subject).await?;
    let token = issue(&*issued.world, &*issued.provider, &issued.mesh, &issued.url).await?;
    let token = fine("issue", token)?;
    let now = issued.world.clock().now();
    let left = token.expires_at.duration_since(now).unwrap_or_default();
    let day = Duration::from_secs(24 * 3600);
    ensure!(!left.is_zero() && left <= day, "it is good for {left:?}");
    let claims = issued.accepted("its own token", &issued.url, token.token.expose()).await?;
    let apart = claims.expires_at.duration_since(token.expires_at);
    let apart = apart.unwrap_or_else(|error| error.duration());
    ensure!(apart < Duration::from_secs(2), "the token and its claims end {apart:?} apart");
    Ok(())
}

pub(crate) async fn debug_of_a_token_shows_nothing(subject: &dyn Subject) -> Verdict {
    let issued = Issued::by(subject).await?;
    let token = issue(&*issued.world, &*issued.provider, &issued.mesh, &issued.url).await?;
    let token = fine("issue", token)?;
    let canary = [Canary::new("the token", token.token.expose())];
    let claims = issued.accepted("its own token", &issued.url, token.token.expose()).await?;
    for (what, seen) in [
        ("MeshToken", seen_in_debug(&canary, &token)),
        ("Claims", seen_in_debug(&canary, &claims)),
        ("the provider", seen_in_debug(&canary, &*issued.provider)),
    ] {
        ensure!(seen.is_none(), "`Debug` of {what} shows the token");
    }
    Ok(())
}

/// A token that is good for a URL is good for every URL below it.
pub(crate) async fn it_is_good_below_its_destination(subject: &dyn Subject) -> Verdict {
    let issued = Issued::by(subject).await?;
    for below in ["", "/", "/Patient", "/Patient/1/_history/2"] {
        let url = format!("{}{below}", issued.url);
        issued.accepted(&url, &url, &issued.token).await?;
    }
    Ok(())
}

/// `/r4` is not the beginning of `/r4evil`.
pub(crate) async fn a_destination_ends_at_a_segment(subject: &dyn Subject) -> Verdict {
    let issued = Issued::by(subject).await?;
    for more in ["evil", "evil/Patient", "-2", ".x", "%2fPatient"] {
        let url = format!("{}{more}", issued.url);
        issued.denied(&url, &url, &issued.token).await?;
    }
    Ok(())
}

/// Whoever receives a token must not be able to go elsewhere with it.
pub(crate) async fn it_is_no_good_elsewhere(subject: &dyn Subject) -> Verdict {
    let issued = Issued::by(subject).await?;
    let Some((origin, _)) = issued.url.split_at_checked(issued.url.len() - 3) else {
        return failed("the destination of the world does not end in /r4");
    };
    let host = origin.trim_start_matches("https://");
    let elsewhere = [
        format!("{origin}/"),
        format!("{origin}/other"),
        format!("{origin}/R4"),
        format!("{origin}:8443/r4"),
        format!("http://{host}/r4"),
        "https://elsewhere.example/r4".to_owned(),
        format!("https://{host}.evil.example/r4"),
        format!("https://{host}@evil.example/r4"),
        "r4".to_owned(),
        String::new(),
    ];
    for url in elsewhere {
        issued.denied(&url, &url, &issued.token).await?;
    }
    Ok(())
}

/// A path that climbs out of the destination is not below it.
pub(crate) async fn a_path_that_climbs_out_is_elsewhere(subject: &dyn Subject) -> Verdict {
    let issued = Issued::by(subject).await?;
    for climbing in ["/../admin", "/%2e%2e/admin", "/x/../../admin", "/.%2E/"] {
        let url = format!("{}{climbing}", issued.url);
        issued.denied(&url, &url, &issued.token).await?;
    }
    Ok(())
}

/// Members of two meshes must not carry the trust of one into the other.
pub(crate) async fn it_is_no_good_in_another_mesh(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let mesh = world.meshes()?.mesh().await;
    let other = world.meshes()?.other_mesh().await?;
    let url = world.meshes()?.destination();
    let provider = built(&*world)?;
    let token = fine("issue", issue(&*world, &*provider, &mesh, &url).await?)?;
    let token = token.token.expose().to_owned();
    let issued = Issued { world, provider, mesh: other, url, token };
    issued.denied("a token of another mesh", &issued.url, &issued.token).await.map(drop)
}

pub(crate) async fn nothing_is_good_in_a_mesh_that_does_not_exist(subject: &dyn Subject) -> Verdict {
    let mut issued = Issued::by(subject).await?;
    issued.mesh = issued.world.meshes()?.unknown_mesh();
    issued.denied("a mesh that does not exist", &issued.url, &issued.token).await.map(drop)
}

/// Of the same name with another id, or of no id: another mesh.
pub(crate) async fn a_mesh_is_its_name_and_its_id(subject: &dyn Subject) -> Verdict {
    let mut issued = Issued::by(subject).await?;
    issued.mesh.id = Some("another-id".to_owned());
    issued.denied("the same name, another id", &issued.url, &issued.token).await.map(drop)
}

pub(crate) async fn no_token_is_issued_in_a_mesh_that_does_not_exist(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let (mesh, url) = (world.meshes()?.unknown_mesh(), world.meshes()?.destination());
    let provider = built(&*world)?;
    refused(issue(&*world, &*provider, &mesh, &url).await?, ErrorKind::NotFound)
}

pub(crate) async fn no_token_is_issued_to_where_this_gateway_may_not_go(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let url = world.meshes()?.forbidden_destination()?;
    let mesh = world.meshes()?.mesh().await;
    let provider = built(&*world)?;
    refused(issue(&*world, &*provider, &mesh, &url).await?, ErrorKind::Denied)
}

pub(crate) async fn without_a_key_to_sign_with_no_token_is_issued(subject: &dyn Subject) -> Verdict {
    let world = subject.world().await;
    let mesh = world.meshes()?.keyless_mesh().await?;
    let url = world.meshes()?.destination();
    let provider = built(&*world)?;
    refused(issue(&*world, &*provider, &mesh, &url).await?, ErrorKind::Invalid)
}

fn refused(got: Result<MeshToken>, kind: ErrorKind) -> Verdict {
    match got {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => failed(format!("expected {kind:?}, got {:?}: {error}", error.kind())),
        Ok(_) => failed("a token was issued"),
    }
}

/// Different destinations at once: no token leads where another was to lead.
pub(crate) async fn tokens_issued_at_once_are_not_mixed_up(subject: &dyn Subject) -> Verdict {
    let issued = Issued::by(subject).await?;
    let mut issuing = JoinSet::new();
    for n in 0..12 {
        let (provider, mesh) = (Arc::clone(&issued.provider), issued.mesh.clone());
        let destination = format!("{}/part-{n}", issued.url);
        let sender = issued.world.meshes()?.sender();
        issuing.spawn(async move {
            let request = TokenRequest { mesh, destination: destination.clone(), sender };
            let token = mesh_auth(&*provider)?.issue(&request).await;
            Ok((destination, fine("issue", token)?.token))
        });
    }
    let tokens: Result<Vec<_>, Stop> =
        within(&*issued.world, issuing.join_all()).await?.into_iter().collect();
    let tokens = tokens?;
    for (destination, token) in &tokens {
        issued.accepted(destination, destination, token.expose()).await?;
    }
    if let [(one, _), (_, other), ..] = tokens.as_slice() {
        issued.denied("another one of those issued at once", one, other.expose()).await?;
    }
    Ok(())
}
