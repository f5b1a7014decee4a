//! A gateway that follows a control plane, with a secret in every place that can hold one.

use std::fs;

use harmony_tests::control_plane::ControlPlane;
use harmony_tests::disk::files_below;
use harmony_tests::site::{echo, forward, ingress, on_ports, pipeline};
use harmony_tests::{
    Forged, Gateway, Identity, RUNBEAM_CONFIG, RawServer, Upstream, Workdir, binary, eventually, free_port,
    full, rsa_pair,
};
use http::Response;
use serde_json::Value;
use toml::Table;

use super::canary::Canaries;
use super::outputs::Outputs;

/// The gateway, what is around it, and its secrets.
pub(super) struct World {
    pub(super) cloud: ControlPlane,
    pub(super) upstream: Upstream,
    /// The gateway's directory, with its state below it.
    pub(super) dir: Workdir,
    pub(super) gateway: Gateway,
    pub(super) port: u16,
    pub(super) admin: u16,
    pub(super) canaries: Canaries,
    pub(super) outputs: Outputs,
    pub(super) management_token: String,
    pub(super) mesh_secret: String,
    /// Servers that answer nothing, and nothing of use.
    _servers: [RawServer; 2],
}

/// Sections of Harmony, and comments, with secrets in every form that people write.
fn foreign_sections(canaries: &mut Canaries) -> String {
    let mut plant = |place: &str| canaries.word(place);
    let lines = [
        "[authentications.basic]".to_owned(),
        format!("password = {:?}", plant("an authentication")),
        format!("key = {:?}", plant("the key of an authentication")),
        format!("users = [{{ name = \"alice\", pass = {:?} }}]", plant("a list of users")),
        format!("hs256_secret = \"\"\"\n{}\"\"\"", plant("a text of several lines")),
        format!("# The password was {} before.", plant("a comment with a sentence")),
        format!("# password = {:?}", plant("a comment with an assignment")),
        "[services.s]".to_owned(),
        format!("door_pin = {:?}", plant("a key that the operator calls secret")),
        format!("\"\\u0070assword\" = {:?}", plant("a key with escapes")),
        format!("args = [\"--password\", {:?}]", plant("the arguments of a command")),
        format!("options = [\"--token={}\"]", plant("an argument of a command")),
        format!("pairs = [\"X-Api-Key\", {:?}]", plant("a list of names and values")),
        format!("nested.pass.value = {:?}", plant("a table below a name of a secret")),
        format!("hook = \"https://hooks.slack.com/services/T0/B0/{}\"", plant("the path of a webhook")),
        format!("dsn = \"Server=db;Uid=u;Password={};\"", plant("a connection string")),
        format!("mirror = \"https://user:{}@git.example/x\"", plant("the user information of a URL")),
        format!("feed = \"https://feeds.example/?sig={}\"", plant("the query of a URL")),
        format!("header = \"Authorization: Bearer {}\"", plant("a header in a text")),
        format!("jwt_secrt = {:?}", plant("a misspelled name")),
        format!("clientKey = {:?}", plant("a name in camel case")),
        "[[services.s.headers]]".to_owned(),
        "name = \"Authorization\"".to_owned(),
        format!("value = {:?}", plant("a named value")),
        "[storage.s3]".to_owned(),
        format!(
            "options = {{ \"api_key\" = {:?}, url = \"https://u:{}@s3.example\" }}",
            plant("an inline table"),
            plant("a URL in an inline table"),
        ),
        String::new(),
    ];
    let number = canaries.number("a number");
    lines.join("\n") + &format!("[services.numbers]\naccess_token = {number}\n")
}

/// The keys of this gateway that hold secrets, and routes with a secret in what they lead to.
fn own_sections(canaries: &mut Canaries, secret: &str, [upstream, dead, silent, odd]: [&str; 4]) -> String {
    let mut plant = |place: &str| canaries.word(place);
    let s3 = |plant: &mut dyn FnMut(&str) -> String| {
        let (id, key) = (plant("options.access_key_id"), plant("options.secret_access_key"));
        format!("options.access_key_id = {id:?}\noptions.secret_access_key = {key:?}\n")
    };
    let guarded = echo("guarded", "/guarded").replace("\nbackends", "\nmiddleware = [\"auth\"]\nbackends");
    let headers = format!(
        "service = \"http\"\noptions.base_url = \"{upstream}\"\noptions.headers = {{ authorization = \"Bearer {}\", X-Api-Key = {:?} }}",
        plant("a header to add"),
        plant("an API key to add"),
    );
    let slow =
        format!("service = \"http\"\noptions.base_url = \"{silent}\"\ntimeout_secs = 1\nmax_retries = 0");
    forward("open", "/open", &format!("{upstream}/${{BACKEND_TOKEN}}"))
        + &forward("dead", "/dead", dead)
        + "max_retries = 0\n"
        + &s3(&mut plant)
        + &pipeline("slow", "/slow", &slow)
        + &forward("odd", "/odd", odd)
        + "max_retries = 0\n"
        + &pipeline("headers", "/headers", &headers)
        + &echo("secured", "/secured")
        + &ingress("secured", "in", "http://127.0.0.1:PORT/secured", "mesh")
        + &guarded
        + &ingress("guarded", "again", "http://127.0.0.1:PORT/guarded", "default")
        + &format!(
            "[middleware.auth]\ntype = \"mesh_auth\"\noptions.mesh_name = \"clinic\"\noptions.jwt_secret = {secret:?}\n"
        )
        + &forward("out", "/out", upstream)
        + "[pipelines.out.mesh.egress.away]\ntype = \"http\"\nmode = \"default\"\n"
        + &s3(&mut plant)
        + &format!("[remote_ingress.theirs]\nurls = [\"{upstream}\"]\n")
        + &format!(
            "[mesh.clinic]\ntype = \"http\"\nprovider = \"local\"\nauth_type = \"jwt\"\njwt_secret = {secret:?}\n\
             ingress = [\"in\", \"again\", \"theirs\"]\negress = [\"away\"]\n"
        )
        + &echo("keyed", "/keyed")
        + &ingress("keyed", "keyed-in", "http://127.0.0.1:PORT/keyed", "mesh")
        + "[mesh.keyed]\ntype = \"http\"\nprovider = \"local\"\nauth_type = \"jwt\"\njwt_private_key_path = \"keys/mesh.pem\"\n\
           jwt_public_key_path = \"keys/mesh.pub\"\ningress = [\"keyed-in\"]\n"
}

impl World {
    /// Starts the gateway with logs of every level, in these formats.
    pub(super) async fn start(log: &str, access_log: &str) -> Self {
        let mut canaries = Canaries::new();
        let cookie = canaries.word("a cookie that a backend sets");
        let moved = canaries.word("a URL that a backend sends");
        let upstream = Upstream::with_handler(move |_| {
            let (cookie, moved) = (cookie.clone(), moved.clone());
            async move {
                let response = Response::builder().header("set-cookie", format!("session={cookie}"));
                let response =
                    response.header("location", format!("http://u:{moved}@b.example/?token={moved}"));
                response.body(full("answer")).expect("a response")
            }
        })
        .await;
        let broken = canaries.word("a header that a backend sends broken");
        let odd = RawServer::writing(move |_| {
            Some(format!("HTTP/1.1 200 OK\r\nSet-Cookie: {broken}\r\nContent-Length: {broken}\r\n\r\n"))
        })
        .await;
        let silent = RawServer::writing(|_| None).await;
        let cloud = ControlPlane::start().await;
        let (port, admin) = (free_port(), free_port());
        let management_token = canaries.word("management.token");
        let mesh_secret = canaries.word("mesh.jwt_secret");
        let dead = format!("http://127.0.0.1:{}", free_port());
        let config = RUNBEAM_CONFIG
            .replace("API", cloud.url())
            .replace("INTERVAL", "1")
            .replace("id = \"edge\"\n", "id = \"edge\"\nremote_env_vars = [\"REMOTE_TOKEN\"]\nsensitive_field_patterns = [\"*_pin\"]\ncontent_limits.max_body_size = 4096\n")
            .replace("network = \"management\"\n", &format!("network = \"management\"\ntoken = {management_token:?}\n"));
        let tls = format!(
            "[network.tls.http]\nbind_address = \"127.0.0.1\"\nbind_port = {}\ncert_path = \"keys/tls.crt\"\nkey_path = \"keys/tls.key\"\n",
            free_port()
        );
        let own =
            own_sections(&mut canaries, &mesh_secret, [&upstream.url(), &dead, &silent.url(), &odd.url()]);
        let dir = Workdir::new();
        let foreign = foreign_sections(&mut canaries);
        dir.write("config.toml", &on_ports(&format!("{config}{tls}{foreign}"), port, admin));
        dir.write("pipelines/own.toml", &on_ports(&own, port, admin));
        let transform = canaries.word("a transform");
        dir.write(
            "transforms/t.json",
            &format!("[{{\"operation\":\"shift\",\"spec\":{{\"api_key\":{transform:?}}}}}]"),
        );
        write_keys(&dir, &mut canaries);
        let token = cloud.authorize("acme", "edge");
        canaries.token("the machine token", &token.machine_token);
        let environment = [
            ("RUNBEAM_MACHINE_TOKEN", token.to_string()),
            ("RUNBEAM_PUSH_CONFIG_ON_STARTUP", "true".to_owned()),
            ("BACKEND_TOKEN", canaries.word("a variable of the environment")),
            ("REMOTE_TOKEN", canaries.word("a variable for documents of the control plane")),
        ];
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let file = dir.path().join("access.log").display().to_string();
        let arguments =
            ["--log", "trace", "--log-format", log, "--access-log", access_log, "--access-log-file", &file];
        let gateway = Gateway::spawn_program(&binary(), &dir.config(), &arguments, &environment);
        let world = Self {
            cloud,
            upstream,
            dir,
            gateway,
            port,
            admin,
            canaries,
            outputs: Outputs::default(),
            management_token,
            mesh_secret,
            _servers: [silent, odd],
        };
        world.settled().await;
        world
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Returns the URL of the management API.
    pub(super) fn api(&self) -> String {
        format!("http://127.0.0.1:{}/admin", self.admin)
    }

    /// Returns a token of the mesh `clinic`.
    pub(super) fn mesh_token(&self) -> String {
        Forged::of("clinic").signed_with(self.mesh_secret.as_bytes()).jwt()
    }

    /// Waits until the gateway is in sync. Returns the status.
    pub(super) async fn settled(&self) -> Value {
        eventually("in sync", || async {
            let answer = harmony_tests::get(format!("{}/provider", self.api())).await;
            let Ok(answer) = answer else { return Err(self.gateway.log()) };
            let status: Value = answer.json().await.unwrap();
            if status["in_sync"] == true { Ok(status) } else { Err(status["reason"].to_string()) }
        })
        .await
    }

    /// Returns the documents of the configuration.
    pub(super) fn documents(&self) -> Vec<Table> {
        let files = files_below(self.dir.path()).into_iter().filter(|path| {
            let path = path.strip_prefix(self.dir.path()).unwrap();
            path.starts_with("config.toml") || path.starts_with("pipelines") || path.starts_with("mesh")
        });
        files.map(|path| fs::read_to_string(path).unwrap().parse().expect("TOML")).collect()
    }

    /// Returns the texts of the files of the configuration, in one.
    pub(super) fn files(&self) -> String {
        let is_state =
            |path: &std::path::Path| path.strip_prefix(self.dir.path()).unwrap().starts_with(".runbeam");
        let files = files_below(self.dir.path()).into_iter().filter(|path| !is_state(path));
        files.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()).collect()
    }
}

/// Writes the keys of the mesh and of the listener. The letters of a key that stand in its file alone are a secret.
fn write_keys(dir: &Workdir, canaries: &mut Canaries) {
    let (private, public) = rsa_pair();
    let last = private.lines().rev().nth(2).expect("the last whole line");
    canaries.token("a key of a mesh", last);
    let tls = Identity::new();
    // PKCS #8 for P-256: the number of the key is behind 36 bytes, and is 32 bytes long.
    let key = tls.key.lines().nth(1).expect("the first line of the key");
    canaries.token("a key of a listener", &key[48..64]);
    for (name, text) in
        [("mesh.pem", &private), ("mesh.pub", &public), ("tls.crt", &tls.cert), ("tls.key", &tls.key)]
    {
        dir.write(&format!("keys/{name}"), text);
    }
}
