//! The meaning of the lists and the id of a mesh of the control plane.

use harmony_tests::control_plane::ControlPlane;
use harmony_tests::site::{BASE, Site, echo, ingress, pipeline};
use harmony_tests::{GatewayProcess, Upstream, Workdir, client, free_port};

const THEIRS: &str = "runbeam.partners.ingress.name.their-api";

fn mesh(id: &str, ingress: &str, egress: &str) -> String {
    format!(
        "[mesh.imaging]\n{id}type = \"http\"\nprovider = \"runbeam\"\ningress = [{ingress}]\negress = [{egress}]\n"
    )
}

/// An ingress of another gateway in the list `egress` is a destination of the mesh: a backend with the same
/// reference sends a token, whichever pipeline it is of.
#[tokio::test]
async fn ingress_reference_in_egress_list() {
    let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
    cloud.authorize("partners", "partner");
    cloud.authorize("acme", "edge");
    let theirs = format!(
        "[pipelines.api]\nnetworks = []\nendpoints = [\"api\"]\nbackends = [\"api\"]\n\
         [pipelines.api.mesh.ingress.their-api]\ntype = \"http\"\nurls = [\"{}/r4\"]\n\
         [endpoints.api]\nservice = \"http\"\n[backends.api]\nservice = \"echo\"\n",
        upstream.url()
    );
    cloud.seed("partner", "pipeline", &theirs);
    let front = pipeline("front", "/front", &format!("service = \"http\"\ntarget_ref = \"{THEIRS}\""));
    let own = echo("own", "/own") + &ingress("own", "own-api", "http://own.example/own", "mesh");
    // The control plane issues tokens to a gateway with an egress in the mesh.
    cloud.seed("edge", "pipeline", &(own.clone() + "[pipelines.own.mesh.egress.out]\ntype = \"http\"\n"));
    let id = cloud.mesh("edge", &mesh("", &format!("\"own-api\", \"{THEIRS}\""), "\"out\""));
    cloud.seed("partner", "mesh", &mesh(&format!("id = \"{id}\"\n"), "\"their-api\"", ""));
    let document = mesh(&format!("id = \"{id}\"\n"), "\"own-api\"", &format!("\"{THEIRS}\""));
    let process = GatewayProcess::with(&cloud, free_port(), &(own + &front + &document)).await;
    let answer = client().get(process.url("/front/x")).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
    let sent = upstream.last_request();
    let authorization = sent.headers.get("authorization").and_then(|value| value.to_str().ok());
    assert!(authorization.is_some_and(|value| value.starts_with("Bearer ey")), "{authorization:?}");
}

/// A mesh of the control plane without an id is out of service: its routes are closed, and nothing else is.
#[tokio::test]
async fn runbeam_mesh_without_id() {
    let config = BASE.replace("\"local\"", "\"runbeam\"")
        + "[provider.runbeam]\napi = \"http://127.0.0.1:9\"\npoll_interval_secs = 0\n"
        + &echo("open", "/open")
        + &echo("closed", "/closed")
        + &ingress("closed", "in", "http://closed.example/closed", "mesh")
        + "[pipelines.closed.mesh.egress.out]\ntype = \"http\"\n"
        + &mesh("", "\"in\"", "\"out\"");
    let site = Site::with(&config, Workdir::new()).await;
    let status = async |path: &str| {
        let token = harmony_tests::Forged::of("imaging").jwt();
        client().get(site.url(path)).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!((status("/open").await, status("/closed").await), (200, 403));
    let warned = site.host.snapshot().warnings().iter().any(|problem| problem.key == "mesh.imaging");
    assert!(warned, "the mesh is named");
}

/// An ingress leads to an endpoint of its own pipeline, whose rules are those of the pipeline.
#[tokio::test]
async fn endpoint_of_another_pipeline() {
    let config = BASE.to_owned()
        + &echo("one", "/one")
        + &echo("two", "/two")
        + "[pipelines.one.mesh.ingress.in]\ntype = \"http\"\nurls = [\"http://a.example/x\"]\nendpoint = \"two\"\n";
    let dir = Workdir::with([("config.toml", config.replace("PORT", "1").replace("ADMIN", "2"))]);
    let mut options = harmony_host::HostOptions::new(dir.config(), harmony_host::registry());
    options.state_dir = dir.path().join("state");
    let rejection = harmony_host::check(&options, harmony_host::Capabilities::new())
        .await
        .expect_err("another's endpoint");
    let errors: Vec<String> = rejection.problems.errors().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("pipelines.one.mesh.ingress.in.endpoint: `two` is no endpoint"), "{errors:?}");
}
