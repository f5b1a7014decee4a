//! A gateway without `api`: Runbeam Cloud at its default address, by all of its official names.

use std::net::SocketAddr;

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::site::{BASE, echo, ingress, on_ports};
use harmony_tests::{Gateway, OfficialNames, Workdir, binary, client, eventually, free_port};
use serde_json::{Value, json};

/// A control plane with the official names, and the real gateway with its default `api`.
struct Official {
    cloud: ControlPlane,
    names: OfficialNames,
    port: u16,
    admin: u16,
    gateway: Gateway,
    _dirs: [Workdir; 2],
}

impl Official {
    async fn start(sections: &str) -> Self {
        // Discovery, links and issuers have another official name than the gateway uses, as in the fixtures of the SDK.
        let builder = ControlPlane::builder().external_url("https://api.runbeam.io").per_page(1);
        let cloud = builder.start().await.unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let names = OfficialNames::start(any, cloud.address()).await.unwrap();
        let (dir, home) = (Workdir::new(), Workdir::new());
        let (port, admin) = (free_port(), free_port());
        let config = BASE.replace("primary_provider = \"local\"\n", "");
        dir.write("config.toml", &on_ports(&format!("{config}{sections}"), port, admin));
        home.write("ca.pem", names.certificate());
        let certificates = home.path().join("ca.pem").display().to_string();
        let environment = [
            ("HOME", home.path().to_str().unwrap()),
            ("HTTPS_PROXY", &names.url()),
            ("HTTP_PROXY", &names.url()),
            ("NO_PROXY", ""),
            ("SSL_CERT_FILE", &certificates),
        ];
        let mut gateway = Gateway::spawn_program(&binary(), &dir.config(), &[], &environment);
        gateway.wait_until_ready().await;
        Self { cloud, names, port, admin, gateway, _dirs: [dir, home] }
    }

    /// Posts a machine token as the command line does and returns the status and the response.
    async fn import(&self, api_base_url: &str) -> (u16, Value) {
        let mut token = serde_json::to_value(self.cloud.authorize("acme", "edge")).unwrap();
        token["api_base_url"] = api_base_url.into();
        let url = format!("http://127.0.0.1:{}/admin/token", self.admin);
        let answer = client().post(url).json(&token).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn wait_for_sync(&self) {
        eventually("in sync", || async {
            let status = Gateway::management(self.admin, "provider").await;
            if status["in_sync"] == true { Ok(()) } else { Err((status, self.gateway.log())) }
        })
        .await;
    }
}

/// The command line sends its own default as `api_base_url`. It is a name of the cloud that the gateway uses, and the
/// credential goes to the configured origin only.
#[tokio::test]
async fn token_api_base_url_of_cli() {
    let official = Official::start("").await;
    for other in [
        "http://app.runbeam.io.evil.example/api",
        "http://evil-app.runbeam.io/api",
        "http://app.runbeam.io@evil.example/api",
        "http://app.runbeam.io:8080/api",
        "http://app.runbeam.io./api",
        "http://127.0.0.1/api",
    ] {
        let (status, answer) = official.import(other).await;
        assert_eq!(status, 400, "{other}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains("https://api.runbeam.cloud"), "{answer}");
    }
    assert_eq!(official.names.reached(), [""; 0], "a credential of another cloud is tried nowhere");

    let (status, answer) = official.import("http://app.runbeam.io/api").await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
    // More than one page: the links have another official name too.
    let changes = ["one", "two", "three"]
        .map(|name| official.cloud.put_document("edge", "pipeline", &echo(name, &format!("/{name}"))));
    official.wait_for_sync().await;
    for change in changes {
        assert_eq!(official.cloud.wait_until_settled(&change).await.status, Status::Applied);
    }
    assert_eq!(official.names.reached(), ["https://api.runbeam.cloud:443"]);
}

/// The tokens of one cloud may have any of its names as `iss`, or the mesh id. The keys come from the configured origin,
/// so a name opens nothing.
#[tokio::test]
async fn iss_of_remote_tokens() {
    let url = "http://in.example/in";
    let sections = echo("in", "/in")
        + &ingress("in", "in", url, "mesh")
        + "[mesh.m]\nid = \"01MESH\"\ntype = \"http\"\nprovider = \"runbeam\"\ningress = [\"in\"]\n";
    let official = Official::start(&sections).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = |iss: &str| {
        json!({
            "iss": iss, "sub": "gateway:01X", "aud": "mesh:01MESH", "jti": "1", "mesh_id": "01MESH",
            "dest_url": url, "iat": now, "exp": now + 300,
        })
    };
    let status = async |token: &str| {
        let request = client().get(format!("http://127.0.0.1:{}/in", official.port));
        let answer = request.header("host", "in.example").bearer_auth(token).send().await.unwrap();
        answer.status().as_u16()
    };
    for iss in [
        "https://api.runbeam.cloud",
        "https://api.runbeam.io",
        "https://app.runbeam.io",
        "http://app.runbeam.io/api",
        "01MESH",
    ] {
        assert_eq!(
            status(&official.cloud.signed(&claims(iss))).await,
            200,
            "{iss}\n{}",
            official.gateway.log()
        );
    }
    for iss in [
        "https://evil-runbeam.io",
        "https://api.runbeam.io.evil.example",
        "https://evil.api.runbeam.io",
        "https://api.runbeam.io.",
        "https://api.runbeam.io:444",
        "http://api.runbeam.io",
        "https://api.runbeam.io@evil.example",
        "https://user@api.runbeam.io",
        "api.runbeam.io",
        "runbeam",
        "m",
        "01mesh",
        "mesh:01MESH",
        "",
    ] {
        assert_eq!(status(&official.cloud.signed(&claims(iss))).await, 403, "{iss}");
    }
    // Another cloud, with keys of its own, that says it is this one.
    let other = ControlPlane::start().await;
    for iss in ["https://api.runbeam.cloud", "https://api.runbeam.io", "01MESH"] {
        assert_eq!(status(&other.signed(&claims(iss))).await, 403, "{iss}");
    }
    assert_eq!(official.names.reached(), ["https://api.runbeam.cloud:443"]);
}
