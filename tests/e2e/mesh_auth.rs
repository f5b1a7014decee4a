//! The middleware `mesh_auth`, written by hand: the requests that come in.

mod contradictions;
mod egress;
mod remote;

use std::path::Path;

use harmony_host::{Capabilities, HostOptions, RunningGateway, registry};
use harmony_tests::site::{BASE, echo, ingress, mesh, on_ports};
use harmony_tests::{Forged, Site, Workdir, client};

/// A configuration whose `mesh_auth` was ignored. It is not part of this repository.
const CASE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/cases/mesh_auth_options_ignored/config.toml");

/// The problems of a configuration with these sections, one line each: the errors, and the warnings.
async fn problems(dir: &Workdir, sections: &str) -> (Vec<String>, Vec<String>) {
    dir.write("config.toml", &on_ports(&format!("{BASE}{sections}"), 1, 2));
    problems_of(dir.config().as_ref(), dir).await
}

async fn problems_of(config: &Path, state: &Workdir) -> (Vec<String>, Vec<String>) {
    let mut options = HostOptions::new(config, registry());
    options.state_dir = state.path().join("state");
    let capabilities = Capabilities::new().with_endpoint("http").with_backend("http").with_backend("echo");
    match harmony_host::check(&options, capabilities).await {
        Ok(snapshot) => (Vec::new(), snapshot.warnings().iter().map(ToString::to_string).collect()),
        Err(rejection) => {
            let shown = |problem: &harmony_host::Problem| problem.to_string();
            let all = &rejection.problems;
            (all.errors().map(shown).collect(), all.warnings().map(shown).collect())
        }
    }
}

/// The status of a request without a token, or with one of a mesh.
async fn status(site: &Site, path: &str, token: Option<&str>) -> u16 {
    let mut request = client().get(site.url(path));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.expect("an answer").status().as_u16()
}

/// An echo pipeline below `/a` with this middleware, and two meshes: `clinic` with its ingress, and `lab`.
fn guarded(middleware: &str, mode: &str) -> String {
    echo("a", "/a").replace("backends = ", &format!("middleware = {middleware}\nbackends = "))
        + &ingress("a", "in", "http://a.example/x", mode)
        + &mesh("clinic", "in").replace("[mesh.clinic]", "[mesh.clinic]\nid = \"01CLINIC\"")
        + "[mesh.lab]\nid = \"01LAB\"\ntype = \"http\"\nprovider = \"local\"\ningress = []\negress = []\n\
           jwt_secret = \"the-secret-of-the-lab-which-is-long-enough\"\n"
}

fn clinic() -> String {
    Forged::of("clinic").claim("mesh_id", "01CLINIC".into()).jwt()
}

fn lab() -> String {
    let token = Forged::of("lab").claim("mesh_id", "01LAB".into());
    token.signed_with(b"the-secret-of-the-lab-which-is-long-enough").jwt()
}

/// The statuses of a request without a token, with one of the pipeline's mesh, and with one of the other mesh.
async fn statuses(sections: &str) -> [u16; 3] {
    let site = Site::serving(sections).await;
    [
        status(&site, "/a/x", None).await,
        status(&site, "/a/x", Some(&clinic())).await,
        status(&site, "/a/x", Some(&lab())).await,
    ]
}

/// A mesh and an authentication that are not there: both are named, with the lines that name them.
#[tokio::test]
async fn mesh_auth_options_ignored() {
    let dir = Workdir::new();
    let options = "[middleware.m]\ntype = \"mesh_auth\"\nauthentication = \"authentications.none-such\"\n\
                   options.mesh_name = \"there-is-no-such-mesh\"\noptions.jwt_secret = \"0123456789abcdefghijklmnopqrstuv\"\n";
    let mut found = vec![problems(&dir, &(guarded("[\"m\"]", "default") + options)).await.0];
    if Path::new(CASE).exists() {
        found.push(problems_of(CASE.as_ref(), &dir).await.0);
    }
    for found in found {
        for (key, message) in [
            ("middleware.m.options.mesh_name", "there is no [mesh.there-is-no-such-mesh]"),
            ("middleware.m.authentication", "there is no [authentications.none-such]"),
        ] {
            let expected = format!(": {key}: {message}");
            assert!(found.iter().any(|line| line.contains(&expected)), "{expected}: {found:?}");
        }
        assert_eq!(found.len(), 2, "{found:?}");
    }
}

/// `mesh_name` and `mesh_id` choose the mesh whose tokens are accepted.
#[tokio::test]
async fn the_mesh_is_chosen_by_name_or_id() {
    let m = "[middleware.m]\ntype = \"mesh_auth\"\n";
    for (options, expected) in [
        ("", [403, 200, 403]),
        ("options.mesh_name = \"clinic\"\n", [403, 200, 403]),
        ("options.mesh_name = \"lab\"\n", [403, 403, 200]),
        ("options.mesh_id = \"01LAB\"\n", [403, 403, 200]),
        ("options.mesh_name = \"lab\"\noptions.mesh_id = \"01LAB\"\n", [403, 403, 200]),
        ("options.mesh_name = \"lab\"\noptions.required = false\n", [200, 200, 200]),
    ] {
        assert_eq!(statuses(&(guarded("[\"m\"]", "default") + m + options)).await, expected, "{options}");
    }
}

/// A token must satisfy the ingress and every `mesh_auth` of the pipeline, on whichever side they are listed.
#[tokio::test]
async fn every_rule_must_be_satisfied() {
    let two = |first: &str, second: &str| {
        format!(
            "[middleware.one]\ntype = \"mesh_auth\"\n{first}\n[middleware.two]\ntype = \"mesh_auth\"\n{second}\n"
        )
    };
    let (c, l) = ("options.mesh_name = \"clinic\"", "options.mesh_name = \"lab\"");
    let open = "options.required = false";
    for (list, mode, middleware, expected) in [
        ("[\"one\", \"two\"]", "default", two(c, l), [403, 403, 403]),
        ("[\"one\", \"one\"]", "default", two(c, l), [403, 200, 403]),
        ("[\"one\", \"mesh_auth\"]", "default", two(l, ""), [403, 403, 403]),
        ("{ left = [\"one\"], right = [\"two\"] }", "default", two(c, l), [403, 403, 403]),
        ("{ outgoing = [\"two\"] }", "default", two("", l), [403, 403, 200]),
        ("[\"one\", \"two\"]", "default", two(open, l), [403, 403, 200]),
        ("[\"two\", \"one\"]", "default", two(open, l), [403, 403, 200]),
        ("[\"one\"]", "mesh", two(l, ""), [403, 403, 403]),
        ("[\"one\"]", "mesh", two(open, ""), [403, 200, 403]),
        ("[\"one\"]", "mesh", two(&format!("{l}\n{open}"), ""), [403, 200, 403]),
    ] {
        let found = statuses(&(guarded(list, mode) + &middleware)).await;
        assert_eq!(found, expected, "{list} {mode}:\n{middleware}");
    }
}

/// A pipeline without a mesh, and one whose chosen mesh is disabled, refuse every request; the operator is told.
#[tokio::test]
async fn without_an_enabled_mesh_nothing_passes() {
    let m = "[middleware.m]\ntype = \"mesh_auth\"\n";
    let alone = guarded("[\"m\"]", "default").replace("ingress = [\"in\"]", "ingress = []") + m;
    assert_eq!(statuses(&alone).await, [403, 403, 403]);
    let off = guarded("[\"m\"]", "default").replace("[mesh.lab]", "[mesh.lab]\nenabled = false")
        + m
        + "options.mesh_name = \"lab\"\noptions.provider = \"local\"\n";
    assert_eq!(statuses(&off).await, [403, 403, 403]);
    for sections in [alone, off] {
        let (errors, warnings) = problems(&Workdir::new(), &sections).await;
        assert_eq!(errors, [""; 0]);
        assert!(warnings.iter().any(|line| line.contains("every request is refused")), "{warnings:?}");
    }
}

/// Two pipelines may use the same `mesh_auth`: each has the meshes of its own ingresses.
#[tokio::test]
async fn one_mesh_auth_in_two_pipelines() {
    let m = "[middleware.m]\ntype = \"mesh_auth\"\n";
    let second = echo("b", "/b").replace("backends = ", "middleware = [\"m\"]\nbackends = ")
        + &ingress("b", "lab-in", "http://b.example/x", "default");
    let sections = guarded("[\"m\"]", "default")
        .replace("id = \"01LAB\"", "id = \"01LAB\"\ningress = [\"lab-in\"]")
        .replace("ingress = []\n", "")
        + &second
        + m;
    let site = Site::serving(&sections).await;
    for (path, expected) in [("/a/x", [403, 200, 403]), ("/b/x", [403, 403, 200])] {
        let found = [
            status(&site, path, None).await,
            status(&site, path, Some(&clinic())).await,
            status(&site, path, Some(&lab())).await,
        ];
        assert_eq!(found, expected, "{path}");
    }
}

/// An authentication that this host does not have is answered 501; the method `none` asks for none.
#[tokio::test]
async fn its_authentication_is_answered_501() {
    for (kind, method, expected) in
        [("mesh_auth", "jwt", 501), ("passthru", "basic", 501), ("passthru", "none", 200)]
    {
        let m = format!(
            "[authentications.x]\nid = \"x\"\nmethod = \"{method}\"\n\
             [middleware.m]\ntype = \"{kind}\"\nauthentication = \"authentications.x\"\n"
        );
        let site = Site::serving(&(guarded("[\"m\"]", "default") + &m)).await;
        assert_eq!(status(&site, "/a/x", Some(&clinic())).await, expected, "{kind} {method}");
    }
}

/// Options of other types protect nothing here, and are not ignored.
#[tokio::test]
async fn options_of_other_types_are_not_ignored() {
    let m = "[middleware.m]\ntype = \"mesh_auth\"\noptions.rules = [{ allow = \"*\" }]\n";
    let site = Site::serving(&(guarded("[\"m\"]", "default") + m)).await;
    assert_eq!(status(&site, "/a/x", Some(&clinic())).await, 501);
    let wrong =
        "[middleware.m]\ntype = \"passthru\"\noptions.required = true\noptions.mesh_name = \"clinic\"\n";
    let (errors, _) = problems(&Workdir::new(), &(guarded("[\"m\"]", "default") + wrong)).await;
    assert!(
        errors.len() == 2 && errors.iter().all(|line| line.contains("an option of `mesh_auth`")),
        "{errors:?}"
    );
}

/// Options under a misspelled name are not dropped in favour of the type without options.
#[tokio::test]
async fn a_misspelled_section_is_rejected() {
    let sections = guarded("[\"mesh_auth\"]", "default") + "[middleware.mesh_auht]\ntype = \"mesh_auth\"\n";
    let (errors, _) = problems(&Workdir::new(), &(sections.clone() + "options.mesh_name = \"lab\"\n")).await;
    assert!(errors.len() == 1 && errors[0].contains("did you mean [middleware.mesh_auth]?"), "{errors:?}");
    // Another pipeline uses it: both names are meant.
    let other = echo("b", "/b").replace("backends = ", "middleware = [\"mesh_auht\"]\nbackends = ");
    assert_eq!(problems(&Workdir::new(), &(sections + &other)).await.0, [""; 0]);
}

/// An edit that contradicts the mesh changes nothing that is served.
#[tokio::test]
async fn a_contradicting_edit_opens_nothing() {
    let m = "[middleware.m]\ntype = \"mesh_auth\"\noptions.mesh_name = \"lab\"\n";
    let site = Site::serving(&(guarded("[\"m\"]", "default") + m)).await;
    site.dir.edit("config.toml", "options.mesh_name = \"lab\"", "options.mesh_name = \"lba\"");
    assert_rejected(&site.host).await;
    assert_eq!(status(&site, "/a/x", Some(&clinic())).await, 403);
    assert_eq!(status(&site, "/a/x", Some(&lab())).await, 200);
}

async fn assert_rejected(host: &RunningGateway) {
    let verdict = host.reload().await;
    assert!(matches!(verdict, Some(harmony_host::Verdict::Rejected(_))), "{verdict:?}");
}
