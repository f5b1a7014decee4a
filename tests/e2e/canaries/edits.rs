//! Edits that are wrong, with secrets where they stand in the way of a message.

use harmony_tests::client;
use serde_json::json;

use super::canary::Canaries;
use super::world::World;

/// The wrong files, by what is wrong in them. `WORD`, `RANDOM` and `NUMBER` stand for secrets.
const EDITS: &[(&str, &str)] = &[
    ("a syntax error behind a secret", "[mesh.x]\njwt_secret = \"WORD\" oops\n"),
    ("a text without its end", "[mesh.x]\njwt_secret = \"WORD\ntype = \"http\"\n"),
    ("a secret without quotes", "[mesh.x]\njwt_secret = WORD\ntype = \"http\"\n"),
    ("a colon", "[mesh.x]\njwt_secret: \"WORD\"\n"),
    ("a repeated key", "[mesh.x]\njwt_secret = \"WORD\"\njwt_secret = \"WORD\"\n"),
    ("a misspelled key", "[mesh.x]\ntype = \"http\"\njwt_secrt = \"WORD\"\n"),
    ("another misspelled key", "[mesh.x]\ntype = \"http\"\npasswrd = \"WORD\"\n"),
    ("an array", "[mesh.x]\ntype = \"http\"\njwt_secret = [\"WORD\", \"WORD\"]\n"),
    ("an inline table", "[mesh.x]\ntype = \"http\"\njwt_secret = { value = \"WORD\", old = [\"WORD\"] }\n"),
    ("a number", "[mesh.x]\ntype = \"http\"\njwt_secret = NUMBER\n"),
    (
        "options in one line",
        "[backends.x]\nservice = 7\n\
         options = { token = \"WORD\", keys = [[\"password\", \"WORD\"]], \"api key\" = \"WORD\" }\n",
    ),
    (
        "secrets as keys",
        "[backends.x]\nservice = \"http\"\n[backends.x.options.tokens]\n\"WORD\" = 1\n\"WORD\" = \"alice\"\n",
    ),
    (
        "a secret in the place of a name",
        "[mesh.x]\ntype = \"http\"\nprovider = \"RANDOM\"\ningress = [\"RANDOM\"]\n",
    ),
    ("a secret in the place of a word", "[mesh.x]\ntype = \"RANDOM\"\nauth_type = \"RANDOM\"\n"),
    (
        "a secret in the place of a path",
        "[mesh.x]\ntype = \"http\"\nprovider = \"local\"\njwt_private_key_path = \"RANDOM\"\n\
         jwt_public_key_path = \"RANDOM\"\n",
    ),
    (
        "a key in the place of its path",
        "[mesh.x]\ntype = \"http\"\nprovider = \"local\"\njwt_private_key_path = \"\"\"\n\
         -----BEGIN PRIVATE KEY-----\nWORD\n-----END PRIVATE KEY-----\n\"\"\"\n\
         jwt_public_key_path = \"-----BEGIN PRIVATE KEY-----\\nWORD\\n-----END PRIVATE KEY-----\"\n",
    ),
    (
        "user information in URLs",
        "[backends.x]\nservice = \"http\"\noptions.base_url = \"https://u:WORD@b.example/\"\n[targets.x]\n\
         url = \"https://u:WORD@b.example/\"\n[peers.x]\nurl = \"https://WORD@b.example/\"\n\
         connection.host = \"https://u:WORD@b.example/\"\n",
    ),
    (
        "queries in URLs",
        "[backends.x]\nservice = \"http\"\noptions.base_url = \"https://b.example/?sig=WORD&x=1\"\n\
         [targets.x]\nurl = \"https://b.example/?api_key=WORD\"\n[mesh.x]\ntype = \"http\"\n\
         jwks_url = \"https://u:WORD@k.example/?token=WORD\"\n",
    ),
    (
        "URLs of routes",
        "[pipelines.x.mesh.ingress.x]\ntype = \"http\"\nurls = [\"https://u:WORD@a.example/x?token=WORD\"]\n\
         [remote_ingress.x]\nurls = [\"https://u:WORD@a.example/x?token=WORD\"]\n",
    ),
    (
        "a dollar sign in a secret",
        "[mesh.x]\ntype = \"http\"\nprovider = \"local\"\njwt_secret = \"ab$WORD\"\n",
    ),
    (
        "a secret behind a dollar sign",
        "[mesh.x]\ntype = \"http\"\nprovider = \"local\"\njwt_secret = \"$WORD\"\n",
    ),
    ("a bare dollar sign", "[mesh.x]\ntype = \"http\"\nprovider = \"local\"\njwt_secret = $WORD\n"),
    (
        "another secret than the mesh",
        "[middleware.x]\ntype = \"mesh_auth\"\noptions.mesh_name = \"clinic\"\n\
         options.jwt_secret = \"WORD\"\n[pipelines.x]\nnetworks = [\"public\"]\nendpoints = [\"x\"]\n\
         middleware = [\"x\"]\n[endpoints.x]\nservice = \"http\"\noptions.path_prefix = \"/x\"\n",
    ),
    (
        "an unknown section",
        "[tokens.x]\nvalue = \"WORD\"\n[credential]\nx = \"WORD\"\n[authentication.x]\npassword = \"WORD\"\n",
    ),
    ("a section of the operator", "[management]\ntoken = \"WORD\"\n"),
    (
        "a provider that is not known",
        "[provider.git]\ntype = \"git\"\napi = \"https://u:WORD@git.example/x\"\ntoken = \"WORD\"\n\
         ssh_key = \"WORD\"\n",
    ),
    ("a broken header of a section", "[mesh.x\njwt_secret = \"WORD\"\n"),
    ("two sections on one line", "[mesh.x] jwt_secret = \"WORD\"\n"),
    ("an escape that is not one", "[mesh.x]\njwt_secret = \"\\qWORD\"\n"),
    ("a control character", "[mesh.x]\njwt_secret = \"WORD\u{1}\"\n"),
    ("a text of several lines without its end", "[mesh.x]\njwt_secret = \"\"\"\nWORD\nWORD\n"),
];

/// Puts secrets into a text.
fn planted(name: &str, template: &str, canaries: &mut Canaries) -> String {
    let mut text = template.to_owned();
    for (mark, make) in [
        ("WORD", Canaries::word as fn(&mut Canaries, &str) -> String),
        ("RANDOM", Canaries::random),
        ("NUMBER", Canaries::number),
    ] {
        while text.contains(mark) {
            text = text.replacen(mark, &make(canaries, &format!("an edit with {name}")), 1);
        }
    }
    text
}

/// Makes each edit, and collects what is said of it. Returns the names of those that are not rejected.
pub(super) async fn make(world: &mut World) -> Vec<&'static str> {
    let (api, config) = (world.api(), world.dir.config());
    let mut accepted = Vec::new();
    for (name, template) in EDITS {
        let text = planted(name, template, &mut world.canaries);
        world.dir.replace("pipelines/wrong.toml", &text);
        let reload = client().post(format!("{api}/reload")).json(&json!({}));
        if world.outputs.ask(reload).await == 200 {
            accepted.push(*name);
        }
        world.outputs.run(&config, &["check"]).await;
        world.outputs.run(&config, &["status"]).await;
        for path in ["provider", "plan", "health", "history?limit=3"] {
            world.outputs.ask(client().get(format!("{api}/{path}"))).await;
        }
        world.outputs.ask(client().get(format!("{api}/")).header("accept", "text/html")).await;
        world.dir.remove("pipelines/wrong.toml");
    }
    let reload = client().post(format!("{api}/reload")).json(&json!({}));
    assert_eq!(world.outputs.ask(reload).await, 200);
    accepted
}
