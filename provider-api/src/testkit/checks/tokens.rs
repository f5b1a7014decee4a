//! Checks of issued tokens: acceptance, expiry and reach.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::changes::expect_ok;
use crate::testkit::fixture::{build_provider, require_ability, with_patience};
use crate::testkit::outcome::{CheckResult, Stop, ensure, failed};
use crate::testkit::{Canary, Subject, World, seen_in_debug, seen_in_error};
use crate::{
    Claims, Clock as _, Error, ErrorKind, Expected, MeshAuth, MeshIdentity, MeshToken, Provider, Result,
    TokenRequest,
};

/// A token, the provider that issued it, and its mesh.
pub(super) struct IssuedToken {
    pub(super) world: Arc<dyn World>,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) mesh: MeshIdentity,
    /// The destination of the token.
    pub(super) url: String,
    pub(super) token: String,
}

fn mesh_auth(provider: &dyn Provider) -> Result<&dyn MeshAuth, Stop> {
    require_ability(provider.mesh_auth(), "mesh_auth")
}

async fn issue(
    world: &dyn World,
    provider: &dyn Provider,
    mesh: &MeshIdentity,
    destination: &str,
) -> Result<Result<MeshToken>, Stop> {
    let sender = world.meshes()?.sender();
    let request = TokenRequest { mesh: mesh.clone(), destination: destination.to_owned(), sender };
    with_patience(world, mesh_auth(provider)?.issue(&request)).await
}

impl IssuedToken {
    pub(super) async fn new(subject: &dyn Subject) -> Result<Self, Stop> {
        let world = subject.world().await;
        let mesh = world.meshes()?.mesh().await;
        let url = world.meshes()?.destination();
        let provider = build_provider(&*world)?;
        let token = expect_ok("issue", issue(&*world, &*provider, &mesh, &url).await?)?;
        let token = token.token.expose().to_owned();
        Ok(Self { world, provider, mesh, url, token })
    }

    pub(super) async fn verify(&self, url: &str, token: &str) -> Result<Result<Claims>, Stop> {
        let expected = Expected { mesh: &self.mesh, url };
        with_patience(&*self.world, mesh_auth(&*self.provider)?.verify(&expected, token)).await
    }

    pub(super) async fn expect_accepted(&self, what: &str, url: &str, token: &str) -> Result<Claims, Stop> {
        expect_ok(&format!("verifying {what}"), self.verify(url, token).await?)
    }

    /// Expects a denial, and that its message does not show the token.
    pub(super) async fn expect_denied(&self, what: &str, url: &str, token: &str) -> Result<Error, Stop> {
        let error = match self.verify(url, token).await? {
            Err(error) if error.kind() == ErrorKind::Denied => error,
            Err(error) => return failed(format!("{what}: expected Denied, got {:?}: {error}", error.kind())),
            Ok(claims) => return failed(format!("{what}: expected Denied, got {claims:?}")),
        };
        let seen = seen_in_error(&[Canary::new("the token", token)], &error);
        ensure!(seen.is_none(), "{what}: the error shows the token");
        Ok(error)
    }
}

pub(crate) async fn what_is_issued_is_accepted(subject: &dyn Subject) -> CheckResult {
    let issued = IssuedToken::new(subject).await?;
    let claims = issued.expect_accepted("its own token", &issued.url, &issued.token).await?;
    let mesh = issued.mesh.mesh_id();
    ensure!(claims.mesh_id == mesh, "the claims are for the mesh `{}`, not `{mesh}`", claims.mesh_id);
    ensure!(!claims.subject.trim().is_empty(), "`subject` of the claims is blank");
    Ok(())
}

/// Checks that `expires_at` is the real expiry: the host caches an issued token until shortly before it.
pub(crate) async fn a_token_ends_when_it_says(subject: &dyn Subject) -> CheckResult {
    let issued = IssuedToken::new(subject).await?;
    let token = issue(&*issued.world, &*issued.provider, &issued.mesh, &issued.url).await?;
    let token = expect_ok("issue", token)?;
    let now = issued.world.clock().now();
    let left = token.expires_at.duration_since(now).unwrap_or_default();
    let day = Duration::from_secs(24 * 3600);
    ensure!(
        !left.is_zero() && left <= day,
        "the token is valid for {left:?}, expected more than zero and at most a day"
    );
    let claims = issued.expect_accepted("its own token", &issued.url, token.token.expose()).await?;
    let apart = claims.expires_at.duration_since(token.expires_at);
    let apart = apart.unwrap_or_else(|error| error.duration());
    ensure!(apart < Duration::from_secs(2), "the expiry of the token and of its claims differ by {apart:?}");
    Ok(())
}

pub(crate) async fn debug_of_a_token_shows_nothing(subject: &dyn Subject) -> CheckResult {
    let issued = IssuedToken::new(subject).await?;
    let token = issue(&*issued.world, &*issued.provider, &issued.mesh, &issued.url).await?;
    let token = expect_ok("issue", token)?;
    let canary = [Canary::new("the token", token.token.expose())];
    let claims = issued.expect_accepted("its own token", &issued.url, token.token.expose()).await?;
    for (what, seen) in [
        ("MeshToken", seen_in_debug(&canary, &token)),
        ("Claims", seen_in_debug(&canary, &claims)),
        ("the provider", seen_in_debug(&canary, &*issued.provider)),
    ] {
        ensure!(seen.is_none(), "`Debug` of {what} shows the token");
    }
    Ok(())
}

/// Checks that a token covers all URLs below its destination.
pub(crate) async fn it_is_good_below_its_destination(subject: &dyn Subject) -> CheckResult {
    let issued = IssuedToken::new(subject).await?;
    for below in ["", "/", "/Patient", "/Patient/1/_history/2"] {
        let url = format!("{}{below}", issued.url);
        issued.expect_accepted(&url, &url, &issued.token).await?;
    }
    Ok(())
}

/// Checks that a token for `/r4` does not cover `/r4evil`.
pub(crate) async fn a_destination_ends_at_a_segment(subject: &dyn Subject) -> CheckResult {
    let issued = IssuedToken::new(subject).await?;
    for more in ["evil", "evil/Patient", "-2", ".x", "%2fPatient"] {
        let url = format!("{}{more}", issued.url);
        issued.expect_denied(&url, &url, &issued.token).await?;
    }
    Ok(())
}

/// Checks other destinations: the receiver of a token must not be able to use it at another member.
pub(crate) async fn it_is_no_good_elsewhere(subject: &dyn Subject) -> CheckResult {
    let issued = IssuedToken::new(subject).await?;
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
        issued.expect_denied(&url, &url, &issued.token).await?;
    }
    Ok(())
}

/// Checks that a path with `..` that leaves the destination is not covered.
pub(crate) async fn a_path_that_climbs_out_is_elsewhere(subject: &dyn Subject) -> CheckResult {
    let issued = IssuedToken::new(subject).await?;
    for climbing in ["/../admin", "/%2e%2e/admin", "/x/../../admin", "/.%2E/"] {
        let url = format!("{}{climbing}", issued.url);
        issued.expect_denied(&url, &url, &issued.token).await?;
    }
    Ok(())
}

/// Checks that a token of one mesh is denied in another one.
pub(crate) async fn it_is_no_good_in_another_mesh(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let mesh = world.meshes()?.mesh().await;
    let other = world.meshes()?.other_mesh().await?;
    let url = world.meshes()?.destination();
    let provider = build_provider(&*world)?;
    let token = expect_ok("issue", issue(&*world, &*provider, &mesh, &url).await?)?;
    let token = token.token.expose().to_owned();
    let issued = IssuedToken { world, provider, mesh: other, url, token };
    issued.expect_denied("a token of another mesh", &issued.url, &issued.token).await.map(drop)
}

pub(crate) async fn nothing_is_good_in_a_mesh_that_does_not_exist(subject: &dyn Subject) -> CheckResult {
    let mut issued = IssuedToken::new(subject).await?;
    issued.mesh = issued.world.meshes()?.unknown_mesh();
    issued.expect_denied("a mesh that does not exist", &issued.url, &issued.token).await.map(drop)
}

/// Checks that the same mesh name with another id is another mesh.
pub(crate) async fn a_mesh_is_its_name_and_its_id(subject: &dyn Subject) -> CheckResult {
    let mut issued = IssuedToken::new(subject).await?;
    issued.mesh.id = Some("another-id".to_owned());
    issued.expect_denied("the same name, another id", &issued.url, &issued.token).await.map(drop)
}

pub(crate) async fn no_token_is_issued_in_a_mesh_that_does_not_exist(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let (mesh, url) = (world.meshes()?.unknown_mesh(), world.meshes()?.destination());
    let provider = build_provider(&*world)?;
    expect_refusal(issue(&*world, &*provider, &mesh, &url).await?, ErrorKind::NotFound)
}

pub(crate) async fn no_token_is_issued_to_where_this_gateway_may_not_go(
    subject: &dyn Subject,
) -> CheckResult {
    let world = subject.world().await;
    let url = world.meshes()?.forbidden_destination()?;
    let mesh = world.meshes()?.mesh().await;
    let provider = build_provider(&*world)?;
    expect_refusal(issue(&*world, &*provider, &mesh, &url).await?, ErrorKind::Denied)
}

pub(crate) async fn without_a_key_to_sign_with_no_token_is_issued(subject: &dyn Subject) -> CheckResult {
    let world = subject.world().await;
    let mesh = world.meshes()?.keyless_mesh().await?;
    let url = world.meshes()?.destination();
    let provider = build_provider(&*world)?;
    expect_refusal(issue(&*world, &*provider, &mesh, &url).await?, ErrorKind::Invalid)
}

fn expect_refusal(got: Result<MeshToken>, kind: ErrorKind) -> CheckResult {
    match got {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => failed(format!("expected {kind:?}, got {:?}: {error}", error.kind())),
        Ok(_) => failed(format!("expected {kind:?}, but a token was issued")),
    }
}

/// Checks that concurrently issued tokens have the requested destination.
pub(crate) async fn tokens_issued_at_once_are_not_mixed_up(subject: &dyn Subject) -> CheckResult {
    let issued = IssuedToken::new(subject).await?;
    let mut issuing = JoinSet::new();
    for n in 0..12 {
        let (provider, mesh) = (Arc::clone(&issued.provider), issued.mesh.clone());
        let destination = format!("{}/part-{n}", issued.url);
        let sender = issued.world.meshes()?.sender();
        issuing.spawn(async move {
            let request = TokenRequest { mesh, destination: destination.clone(), sender };
            let token = mesh_auth(&*provider)?.issue(&request).await;
            Ok((destination, expect_ok("issue", token)?.token))
        });
    }
    let tokens: Result<Vec<_>, Stop> =
        with_patience(&*issued.world, issuing.join_all()).await?.into_iter().collect();
    let tokens = tokens?;
    for (destination, token) in &tokens {
        issued.expect_accepted(destination, destination, token.expose()).await?;
    }
    if let [(one, _), (_, other), ..] = tokens.as_slice() {
        issued.expect_denied("a token for another destination", one, other.expose()).await?;
    }
    Ok(())
}
