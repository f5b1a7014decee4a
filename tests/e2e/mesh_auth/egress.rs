//! `mesh_auth` with `direction = "egress"`: a request leaves with a token of the mesh, or not at all.

use harmony_tests::site::{BASE, echo, forward};
use harmony_tests::{SECRET, Site, Upstream, Workdir};

use crate::mesh_auth::{problems, status};

const M: &str = "[middleware.m]\ntype = \"mesh_auth\"\noptions.direction = \"egress\"\n";

/// A pipeline below `/a` that forwards to `base`, and a mesh `clinic` with the ingress `theirs`.
fn leaving(base: &str, theirs: &str, egress: &str) -> String {
    let mesh = format!(
        "[mesh.clinic]\nid = \"01CLINIC\"\ntype = \"http\"\nprovider = \"local\"\njwt_secret = \"{SECRET}\"\n\
         ingress = [\"theirs\"]\negress = [{egress}]\n[remote_ingress.theirs]\nurls = [\"{theirs}\"]\n"
    );
    forward("a", "/a", base).replace("backends = ", "middleware = [\"m\"]\nbackends = ")
        + "[pipelines.a.mesh.egress.out]\ntype = \"http\"\n"
        + &mesh
}

/// The status of a request through the gateway, and what the backend got.
async fn sent(sections: &str, upstream: &Upstream) -> (u16, Vec<Option<String>>) {
    let site = Site::serving(sections).await;
    let status = status(&site, "/a/Patient/7", None).await;
    let token = |request: &harmony_tests::RecordedRequest| {
        let value = request.headers.get("authorization")?.to_str().ok()?;
        Some(value.to_owned())
    };
    (status, upstream.requests().iter().map(token).collect())
}

fn has_token(sent: &[Option<String>]) -> bool {
    matches!(sent, [Some(value)] if value.starts_with("Bearer ey"))
}

#[tokio::test]
async fn a_request_leaves_with_a_token() {
    for options in [
        "",
        "options.mesh_name = \"clinic\"\n",
        "options.mesh_id = \"01CLINIC\"\noptions.provider = \"local\"\n",
        "options.destination_url = \"URL/r4\"\n",
    ] {
        let upstream = Upstream::with_body("theirs").await;
        let r4 = format!("{}/r4", upstream.url());
        let options = options.replace("URL", &upstream.url());
        let (status, sent) = sent(&(leaving(&r4, &r4, "\"out\"") + M + &options), &upstream).await;
        assert!(status == 200 && has_token(&sent), "{options}: {status} {sent:?}");
    }
}

/// A chosen mesh needs no egress of this gateway in its list.
#[tokio::test]
async fn the_mesh_is_chosen_by_name() {
    let upstream = Upstream::with_body("theirs").await;
    let sections = leaving(&upstream.url(), &upstream.url(), "") + M + "options.mesh_name = \"clinic\"\n";
    let (status, sent) = sent(&sections, &upstream).await;
    assert!(status == 200 && has_token(&sent), "{status} {sent:?}");
}

/// No member of the mesh is at the URL of the backend: nothing is sent without a token.
#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let elsewhere = "http://theirs.example/r4";
    for (egress, options) in [
        ("\"out\"", ""),
        ("\"out\"", "options.mesh_name = \"clinic\"\n"),
        ("", "options.mesh_id = \"01CLINIC\"\n"),
    ] {
        let upstream = Upstream::with_body("theirs").await;
        let (status, sent) =
            sent(&(leaving(&upstream.url(), elsewhere, egress) + M + options), &upstream).await;
        assert_eq!((status, sent), (403, Vec::new()), "{egress} {options}");
    }
    let upstream = Upstream::with_body("theirs").await;
    let off = leaving(&upstream.url(), &upstream.url(), "\"out\"")
        .replace("[mesh.clinic]", "[mesh.clinic]\nenabled = false");
    assert_eq!(sent(&(off + M), &upstream).await, (403, Vec::new()), "the mesh is disabled");
}

/// A pipeline from which no request can leave is named in a warning.
#[tokio::test]
async fn a_pipeline_that_cannot_send_is_named() {
    for (sections, expected) in [
        (leaving("http://a.example", "http://theirs.example", "\"out\""), true),
        (leaving("http://a.example/x", "http://a.example/y", "\"out\""), true),
        (leaving("http://a.example", "http://a.example", ""), true),
        (leaving("http://a.example", "http://a.example/r4", "\"out\""), false),
        (leaving("http://a.example/r4/x", "http://a.example/r4", "\"out\""), false),
    ] {
        let (errors, warnings) = problems(&Workdir::new(), &(sections.clone() + M)).await;
        assert_eq!(errors, [""; 0]);
        let named = warnings.iter().any(|line| line.contains("every request is refused"));
        assert_eq!(named, expected, "{sections}: {warnings:?}");
    }
}

/// A mesh with the public key only cannot sign.
#[tokio::test]
async fn a_token_that_cannot_be_issued() {
    let upstream = Upstream::with_body("theirs").await;
    let dir = Workdir::new();
    dir.write("public.pem", &harmony_tests::rsa_pair().1);
    let sections = leaving(&upstream.url(), &upstream.url(), "\"out\"")
        .replace(&format!("jwt_secret = \"{SECRET}\""), "jwt_public_key_path = \"public.pem\"");
    let site = Site::with(&format!("{BASE}{sections}{M}"), dir).await;
    assert_eq!(status(&site, "/a/Patient/7", None).await, 502);
    assert!(upstream.requests().is_empty());
    let chosen = format!("{sections}{M}options.mesh_name = \"clinic\"\n").replace("\"out\"", "");
    let (_, warnings) = problems(&site.dir, &chosen).await;
    let expected = ": middleware.m.options: the mesh `clinic` has no `jwt_private_key_path`";
    assert!(warnings.iter().any(|line| line.contains(expected)), "{warnings:?}");
}

/// `destination_url` is the only URL below which requests leave.
#[tokio::test]
async fn destination_url_holds() {
    let upstream = Upstream::with_body("theirs").await;
    let base = upstream.url();
    let m = format!("{M}options.destination_url = \"{base}/r4/Patient\"\n");
    let site = Site::serving(&(leaving(&format!("{base}/r4"), &base, "\"out\"") + &m)).await;
    assert_eq!(status(&site, "/a/Patient/7", None).await, 200);
    for outside in ["/a/Observation/7", "/a/Patients", "/a"] {
        assert_eq!(status(&site, outside, None).await, 403, "{outside}");
    }
    assert_eq!(upstream.requests().len(), 1);
    for (url, message) in [
        ("http://other.example/r4", "this is no destination of the mesh clinic"),
        ("theirs", "expected a URL"),
        ("https://theirs.example/r5", "this is no destination of the mesh clinic"),
        (
            "https://theirs.example/r4/x",
            "the backend of the pipeline `a` sends to https://theirs.example/r4/y",
        ),
    ] {
        let sections = leaving("https://theirs.example/r4/y", "https://theirs.example/r4", "\"out\"");
        let m = format!("{M}options.destination_url = \"{url}\"\n");
        let (errors, _) = problems(&Workdir::new(), &(sections + &m)).await;
        let expected = format!("middleware.m.options.destination_url: {message}");
        assert!(errors.len() == 1 && errors[0].contains(&expected), "{url}: {errors:?}");
    }
}

/// Only an explicit `required = false` sends without a token, where the URL is no destination of a mesh.
#[tokio::test]
async fn required_false_sends_without_a_token() {
    let upstream = Upstream::with_body("theirs").await;
    let m = format!("{M}options.mesh_name = \"clinic\"\noptions.required = false\n");
    let (status, elsewhere) =
        sent(&(leaving(&upstream.url(), "http://theirs.example", "") + &m), &upstream).await;
    assert_eq!((status, elsewhere), (200, vec![None]));
    let upstream = Upstream::with_body("theirs").await;
    let (status, there) = sent(&(leaving(&upstream.url(), &upstream.url(), "") + &m), &upstream).await;
    assert!(status == 200 && has_token(&there), "{there:?}");
}

/// Nothing is sent through a token where nothing is sent over HTTP: such a pipeline is not served.
#[tokio::test]
async fn egress_of_an_echo_is_501() {
    let sections = echo("a", "/a").replace("backends = ", "middleware = [\"m\"]\nbackends = ") + M;
    let site = Site::serving(&sections).await;
    assert_eq!(status(&site, "/a", None).await, 501);
}

/// Both sides in one list: each has its own rule.
#[tokio::test]
async fn both_sides_have_their_own_rule() {
    let upstream = Upstream::with_body("theirs").await;
    let sections = leaving(&upstream.url(), &upstream.url(), "\"out\"")
        .replace("middleware = [\"m\"]", "middleware = [\"m\", \"mesh_auth\"]");
    assert_eq!(sent(&(sections + M), &upstream).await, (403, Vec::new()));
}
