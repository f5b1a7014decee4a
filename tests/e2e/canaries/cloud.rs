//! Changes of the control plane with secrets: good ones, and ones that are refused.

use harmony_tests::client;
use harmony_tests::control_plane::{Fault, Status, When};
use harmony_tests::site::{echo, forward};
use serde_json::json;

use super::world::World;

/// Sends changes, and collects what is said of them, also to the control plane.
pub(super) async fn send(world: &mut World) {
    let mut plant = |place: &str| world.canaries.word(place);
    let good = forward("remote", "/remote", &format!("{}/${{REMOTE_TOKEN}}", world.upstream.url()))
        + &format!("options.secret_access_key = {:?}\n", plant("a change: options.secret_access_key"))
        + &format!("[services.remote]\npassword = {:?}\n", plant("a change: a password"))
        + &format!("# token = {:?}\n", plant("a change: a comment"));
    let mesh = format!(
        "[mesh.remote]\ntype = \"http\"\nprovider = \"local\"\nauth_type = \"jwt\"\njwt_secret = {:?}\ningress = []\n",
        plant("a change: a mesh")
    );
    let poison = format!(
        "{}[services.poison]\npassword = {:?}\noptions = {{ token = [{:?}] }}\n",
        echo("poison", "/poison").replace("public", "nowhere"),
        plant("a poison change: a password"),
        plant("a poison change: an inline table"),
    );
    let torn = format!("[services.torn]\npassword = {:?} oops\n", plant("a change that is not TOML"));
    let near = format!("{}passwrd = {:?}\n", echo("near", "/near"), plant("a change with a misspelled key"));
    let variable = forward("thief", "/thief", "http://127.0.0.1:9/${BACKEND_TOKEN}");
    let authority = format!("[management]\ntoken = {:?}\n", plant("a change of what the operator owns"));
    pending(world, &good).await;
    for (name, kind, toml, expected) in [
        ("mesh", "mesh", &mesh, Status::Applied),
        ("poison", "pipeline", &poison, Status::Failed),
        ("torn", "pipeline", &torn, Status::Failed),
        ("near", "pipeline", &near, Status::Failed),
        ("variable", "pipeline", &variable, Status::Failed),
        ("authority", "gateway", &authority, Status::Failed),
    ] {
        let id = world.cloud.change("edge", kind, toml);
        let settled = world.cloud.wait_until_settled(&id).await;
        assert_eq!(settled.status, expected, "{name}: {settled:?}");
        world.outputs.run(&world.dir.config(), &["plan", "--change", &id]).await;
        world.outputs.run(&world.dir.config(), &["status"]).await;
        world.outputs.ask(client().get(format!("{}/", world.api())).header("accept", "text/html")).await;
    }
    assert_eq!(client().get(world.url("/remote")).send().await.unwrap().status(), 200);
    echoing(world).await;
}

/// Plans a change while the sync is paused, then lets it be applied.
async fn pending(world: &mut World, toml: &str) {
    let (api, config) = (world.api(), world.dir.config());
    let pause = client().post(format!("{api}/sync/pause")).json(&json!({ "reason": "a look at a change" }));
    assert_eq!(world.outputs.ask(pause).await, 200);
    let id = world.cloud.change("edge", "pipeline", toml);
    for more in [&[][..], &["--json"]] {
        let (code, shown) = world.outputs.run(&config, &[&["plan", "--change", &id], more].concat()).await;
        assert!(code != 0 && shown.contains("pipeline remote"), "{code}: {shown}");
    }
    assert_eq!(world.outputs.ask(client().post(format!("{api}/sync/resume")).json(&json!({}))).await, 200);
    assert_eq!(world.cloud.wait_until_settled(&id).await.status, Status::Applied);
}

/// Has a proxy before the control plane answer with what it was sent, as some do to be helpful.
async fn echoing(world: &mut World) {
    let tokens = world.canaries.all().iter().filter(|canary| canary.place.contains("machine token"));
    let lines: String = tokens.map(|token| format!("Authorization: Bearer {}\n", token.value)).collect();
    let body = format!("<pre>GET /changes\n{lines}</pre>");
    for (status, content_type) in [(503, "text/html"), (500, "application/json"), (200, "text/plain")] {
        let body = match content_type {
            "application/json" => json!({ "message": body }).to_string(),
            _ => body.clone(),
        };
        let rule = world
            .cloud
            .inject(When::path("/harmony/changes*"), Fault::Response { status, content_type, body });
        world.cloud.wait_for_hits(rule, 1).await;
        world.outputs.run(&world.dir.config(), &["sync"]).await;
        world.outputs.run(&world.dir.config(), &["status"]).await;
        world.cloud.remove_fault(rule);
        world.outputs.run(&world.dir.config(), &["sync"]).await;
    }
}
