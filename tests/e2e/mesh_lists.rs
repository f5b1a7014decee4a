//! The meaning of the lists and the id of a mesh of the control plane.

use harmony_tests::control_plane::{ControlPlane, Fault, When};
use harmony_tests::site::{BASE, Site, echo, forward, ingress, pipeline};
use harmony_tests::{GatewayProcess, Upstream, Workdir, client, eventually, free_port};

const THEIRS: &str = "runbeam.partners.ingress.name.their-api";

fn mesh(id: &str, ingress: &str, egress: &str) -> String {
    format!(
        "[mesh.imaging]\n{id}type = \"http\"\nprovider = \"runbeam\"\ningress = [{ingress}]\negress = [{egress}]\n"
    )
}

/// Adds the gateway `partner` with the ingress `their-api` at `upstream`, in `mode`.
fn partner(cloud: &ControlPlane, upstream: &Upstream, mode: &str) {
    cloud.authorize("partners", "partner");
    cloud.authorize("acme", "edge");
    let theirs = format!(
        "[pipelines.api]\nnetworks = []\nendpoints = [\"api\"]\nbackends = [\"api\"]\n{}\
         [endpoints.api]\nservice = \"http\"\n[backends.api]\nservice = \"echo\"\n",
        ingress("api", "their-api", &format!("{}/r4", upstream.url()), mode)
    );
    cloud.seed("partner", "pipeline", &theirs);
}

/// The documents of a mesh with the partner's ingress in its list `egress`, which the control plane knows too.
fn mesh_with_destination(cloud: &ControlPlane) -> String {
    let own = echo("own", "/own") + &ingress("own", "own-api", "http://own.example/own", "mesh");
    // The control plane issues tokens to a gateway with an egress in the mesh.
    cloud.seed("edge", "pipeline", &(own.clone() + "[pipelines.own.mesh.egress.out]\ntype = \"http\"\n"));
    let id = cloud.mesh("edge", &mesh("", &format!("\"own-api\", \"{THEIRS}\""), "\"out\""));
    cloud.seed("partner", "mesh", &mesh(&format!("id = \"{id}\"\n"), "\"their-api\"", ""));
    own + &mesh(&format!("id = \"{id}\"\n"), "\"own-api\"", &format!("\"{THEIRS}\""))
}

/// A pipeline `front` whose backend is the reference `target`.
fn front(target: &str) -> String {
    pipeline("front", "/front", &format!("service = \"http\"\ntarget_ref = \"{target}\""))
}

/// A control plane and the partner's upstream, with the documents of a mesh that has the partner's ingress as destination
/// and of a pipeline `front` to that ingress by its id.
async fn front_by_id() -> (ControlPlane, Upstream, String) {
    let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
    partner(&cloud, &upstream, "default");
    let id = cloud.resource_id("partner", "ingress", "their-api");
    let sections = mesh_with_destination(&cloud) + &front(&format!("runbeam.partners.ingress.id.{id}"));
    (cloud, upstream, sections)
}

fn bearer(upstream: &Upstream) -> bool {
    let sent = upstream.last_request();
    let authorization = sent.headers.get("authorization").and_then(|value| value.to_str().ok());
    authorization.is_some_and(|value| value.starts_with("Bearer ey"))
}

/// An ingress of another gateway in the list `egress` is a destination of the mesh: a backend with the same
/// reference sends a token, whichever pipeline it is of, and whether or not the ingress needs one.
#[tokio::test]
async fn ingress_reference_in_egress_list() {
    for mode in ["default", "mesh"] {
        let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
        partner(&cloud, &upstream, mode);
        let sections = mesh_with_destination(&cloud) + &front(THEIRS);
        let process = GatewayProcess::with(&cloud, free_port(), &sections).await;
        let answer = client().get(process.url("/front/x")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
        assert!(bearer(&upstream), "mode = {mode}");
    }
}

/// The same destination by its id, or by its URL, is the same destination.
#[tokio::test]
async fn destination_under_another_name() {
    let (cloud, upstream, sections) = front_by_id().await;
    let sections = sections
        + &forward("plain", "/plain", &format!("{}/r4", upstream.url()))
        + &forward("deeper", "/deeper", &format!("{}/r4/Patient", upstream.url()))
        + &forward("other", "/other", &format!("{}/r5", upstream.url()));
    let process = GatewayProcess::with(&cloud, free_port(), &sections).await;
    for (path, expected) in [("/plain/x", true), ("/front/x", true), ("/deeper/1", true), ("/other/x", false)]
    {
        assert_eq!(process.status_code(path).await, 200, "{path}");
        assert_eq!(bearer(&upstream), expected, "{path}");
    }
}

/// While it is not known whether a reference is a destination, its requests are not sent. A backend with a URL of
/// its own is served: the control plane that is away is none of its business.
#[tokio::test]
async fn unresolved_destinations() {
    let (cloud, upstream, sections) = front_by_id().await;
    let sections = sections + &forward("other", "/other", &format!("{}/r5", upstream.url()));
    let away = When::call("GET", "/harmony/resources/resolve");
    let rule = cloud.inject(away, Fault::status(503));
    let process = GatewayProcess::with(&cloud, free_port(), &sections).await;
    assert_eq!(process.status_code("/front/x").await, 503);
    assert_eq!(process.status_code("/other/x").await, 200);
    assert_eq!(upstream.requests().len(), 1, "only the backend with a URL");
    cloud.remove_fault(rule);
    assert_eq!(process.status_code("/front/x").await, 200);
    assert!(bearer(&upstream));
}

/// A resource with `mode = "mesh"` and no common mesh gets no request: 403 with the reason. A restart without a control
/// plane knows that still.
#[tokio::test]
async fn target_ref_to_a_mesh_only_resource() {
    let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
    partner(&cloud, &upstream, "mesh");
    let mut process = GatewayProcess::with(&cloud, free_port(), &front(THEIRS)).await;
    let refused = async |process: &GatewayProcess, when: &str| {
        let answer = client().get(process.url("/front/x")).send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 403, "{when}: {body}");
        assert!(body.contains(THEIRS) && body.contains("no mesh in common"), "{when}: {body}");
    };
    refused(&process, "the control plane answers").await;
    eventually("the resolution is saved", || async {
        if process.has_saved("\"mode\":\"mesh\"") { Ok(()) } else { Err("not yet") }
    })
    .await;
    cloud.stop().await;
    process.kill().await;
    process.restart().await;
    refused(&process, "the control plane is away").await;
    assert_eq!(upstream.requests().len(), 0, "nothing was sent");
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
