//! A start after a kill with damaged files or an unresponsive control plane: the last good configuration is served, and
//! requests that need the control plane are rejected, never open.

use std::net::TcpListener;

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::echo;
use harmony_tests::{GatewayProcess, Upstream, client, eventually, free_port};
use serde_json::{Value, json};

/// Kills a gateway with two pipelines, damages the file `name` and restarts it. The last good configuration must be
/// served, the status must name `place`, and a repair must not need a restart.
async fn damaged(name: &str, text: &str, place: &str) {
    let cloud = ControlPlane::start().await;
    let mut process = GatewayProcess::following(&cloud).await;
    for (name, path) in [("first", "/first"), ("second", "/second")] {
        let change = cloud.put_document("edge", "pipeline", &echo(name, path));
        assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    }
    eventually("the second pipeline is saved", || async {
        if process.has_saved("/second") {
            Ok(())
        } else {
            Err(process.provider_status().await["last_good"].clone())
        }
    })
    .await;
    process.kill().await;
    let good = process.dir.read(name);
    process.dir.write(name, text);
    process.restart().await;
    assert_eq!((process.status_code("/first").await, process.status_code("/second").await), (200, 200));
    let status = process.wait_for_reason(&[place]).await;
    assert_ne!(status["desired"]["digest"], status["effective"]["digest"]);
    assert_eq!(status["attempted"]["verdict"], "rejected");
    let change = cloud.put_document("edge", "pipeline", &echo("third", "/third"));
    process.gateway.wait_for_log("the change waits").await;
    assert_eq!(process.dir.read(name), text, "the gateway does not overwrite a broken file");
    process.dir.write(name, &good);
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied);
    process.wait_for_sync().await;
    assert_eq!((process.status_code("/first").await, process.status_code("/third").await), (200, 200));
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn a_truncated_config_starts_the_last_good() {
    damaged("config.toml", "[proxy]\nid = \"edge\"\nprimary_prov", "config.toml:3").await;
}

#[tokio::test]
async fn a_truncated_pipeline_starts_the_last_good() {
    damaged("pipelines/second.toml", "[pipelines.second]\nnetworks = [\"pub", "pipelines/second.toml:2")
        .await;
}

#[tokio::test]
async fn an_empty_config_starts_the_last_good() {
    damaged("config.toml", "", "config.toml").await;
}

/// A mesh of the control plane with two members. The gateway `edge` has `/own` for members only, and `/mesh`, which
/// forwards to the other member. The ingress of `partner` is `upstream`. `/open` forwards there outside the mesh.
struct Members {
    cloud: ControlPlane,
    upstream: Upstream,
    process: GatewayProcess,
    mesh: String,
    partner: String,
}

const THEIRS: &str = "runbeam.partners.ingress.name.their-api";

impl Members {
    async fn start() -> Self {
        let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
        let partner = cloud.authorize("partners", "partner").machine_token;
        cloud.authorize("acme", "edge");
        let theirs = format!(
            "[pipelines.api]\nnetworks = []\nendpoints = [\"api\"]\nbackends = [\"api\"]\n\
             [pipelines.api.mesh.ingress.their-api]\ntype = \"http\"\nurls = [\"{}/r4\"]\nendpoint = \"api\"\n\
             [pipelines.api.mesh.egress.their-way]\ntype = \"http\"\nbackend = \"api\"\n\
             [endpoints.api]\nservice = \"http\"\n[backends.api]\nservice = \"echo\"\n",
            upstream.url()
        );
        cloud.seed("partner", "pipeline", &theirs);
        let port = free_port();
        let own = echo("own", "/own") + &ingress(port);
        let egress = "[pipelines.mesh.mesh.egress.out]\ntype = \"http\"\nbackend = \"mesh\"\n";
        let way = front("mesh", egress);
        for document in [&own, &way] {
            cloud.seed("edge", "pipeline", document);
        }
        let mesh = cloud.mesh("edge", &document(None, &[THEIRS, "own-api"], "out"));
        cloud.seed("partner", "mesh", &document(Some(&mesh), &["their-api"], "their-way"));
        let sections = own + &way + &front("open", "") + &document(Some(&mesh), &[THEIRS, "own-api"], "out");
        let process = GatewayProcess::with(&cloud, port, &sections).await;
        Self { cloud, upstream, process, mesh, partner }
    }

    /// Issues a token for requests of the partner to `edge`.
    async fn token(&self) -> String {
        let body = json!({ "mesh_id": self.mesh, "destination_url": self.process.url("/own") });
        let call =
            client().post(format!("{}/harmony/mesh/token", self.cloud.url())).bearer_auth(&self.partner);
        let answer: Value = call.json(&body).send().await.unwrap().json().await.unwrap();
        answer["token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    async fn status_with(&self, token: &str) -> u16 {
        let call = client().get(self.process.url("/own")).bearer_auth(token);
        call.send().await.unwrap().status().as_u16()
    }
}

fn ingress(port: u16) -> String {
    format!(
        "[pipelines.own.mesh.ingress.own-api]\ntype = \"http\"\nmode = \"mesh\"\n\
         urls = [\"http://127.0.0.1:{port}/own\"]\n"
    )
}

fn front(name: &str, egress: &str) -> String {
    format!(
        "[pipelines.{name}]\nnetworks = [\"public\"]\nendpoints = [\"{name}\"]\nbackends = [\"{name}\"]\n{egress}\
         [endpoints.{name}]\nservice = \"http\"\noptions.path_prefix = \"/{name}\"\n\
         [backends.{name}]\nservice = \"http\"\ntarget_ref = \"{THEIRS}\"\n"
    )
}

fn document(id: Option<&str>, ingress: &[&str], egress: &str) -> String {
    let id = id.map(|id| format!("id = \"{id}\"\n")).unwrap_or_default();
    format!(
        "[mesh.imaging]\n{id}type = \"http\"\nprovider = \"runbeam\"\nauth_type = \"jwt\"\n\
         ingress = {ingress:?}\negress = [\"{egress}\"]\n"
    )
}

/// While the control plane does not respond, a restarted gateway resolves references and verifies tokens from its
/// state, and issues no tokens.
#[tokio::test]
async fn a_start_with_an_unresponsive_control_plane() {
    let mut members = Members::start().await;
    let token = members.token().await;
    assert_eq!(members.status_with(&token).await, 200);
    assert_eq!(members.process.status_code("/open/x").await, 200);
    assert_eq!(members.process.status_code("/mesh/x").await, 200);
    let sent = members.upstream.requests().len();
    eventually("references and keys are saved", || async {
        let saved = members.process.has_saved(&format!("{}/r4", members.upstream.url()))
            && members.process.has_saved("\\\"kid\\\"");
        if saved { Ok(()) } else { Err(members.process.provider_status().await["last_good"].clone()) }
    })
    .await;
    members.process.kill().await;
    members.cloud.stop().await;
    // The operating system accepts the connections, and no process responds.
    let unresponsive = TcpListener::bind(members.cloud.address()).unwrap();
    members.process.restart().await;
    let answer = client().get(members.process.url("/open/x")).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{:?}\n{}", answer.text().await, members.process.gateway.log());
    assert_eq!(members.status_with(&token).await, 200);
    let status = members.process.provider_status().await;
    assert!(status["sync"]["failure"].is_null(), "the sync has not timed out yet: {status}");
    assert_eq!(members.process.status_code("/own").await, 403, "the ingress is never open");
    assert_eq!(members.status_with("another").await, 403);
    assert_eq!(members.process.status_code("/mesh/x").await, 503);
    let later: Vec<_> = members.upstream.requests().split_off(sent);
    assert_eq!(later.len(), 1, "no request is sent without its token");
    drop(unresponsive);
    members.cloud.restart().await;
    eventually("a new token is issued", || async {
        let status = members.process.status_code("/mesh/x").await;
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await;
    assert!(members.upstream.last_request().headers.contains_key("authorization"));
}
