//! Options of `mesh_auth` that contradict the mesh are rejected at their key; equal ones are accepted.

use harmony_tests::{Forged, SECRET, Site, Workdir, rsa_pair};

use crate::mesh_auth::{guarded, problems, status};

const M: &str = "[middleware.m]\ntype = \"mesh_auth\"\n";

/// `guarded`, whose mesh `lab` has RSA keys.
fn sections(options: &str) -> String {
    guarded("[\"m\"]", "default").replace(
        "jwt_secret = \"the-secret-of-the-lab-which-is-long-enough\"",
        "jwt_private_key_path = \"keys/private.pem\"\njwt_public_key_path = \"keys/public.pem\"",
    ) + M
        + options
}

fn dir() -> Workdir {
    let dir = Workdir::new();
    let (private, public) = rsa_pair();
    dir.write("keys/private.pem", &private);
    dir.write("keys/public.pem", &public);
    dir
}

#[tokio::test]
async fn what_the_mesh_says_is_accepted() {
    let dir = dir();
    for options in [
        format!("options.jwt_secret = \"{SECRET}\"\noptions.provider = \"local\"\n"),
        format!("options.mesh_name = \"clinic\"\noptions.jwt_secret = \"{SECRET}\"\n"),
        "options.mesh_id = \"01LAB\"\noptions.jwt_key_path = \"./keys//public.pem\"\n".to_owned(),
        format!(
            "options.mesh_name = \"lab\"\noptions.jwt_key_path = \"{}\"\n",
            dir.path().join("keys/public.pem").display()
        ),
        "options.mesh_name = \"lab\"\noptions.direction = \"egress\"\noptions.required = false\n\
         options.jwt_key_path = \"keys/private.pem\"\n"
            .to_owned(),
    ] {
        assert_eq!(problems(&dir, &sections(&options)).await.0, [""; 0], "{options}");
    }
}

#[tokio::test]
async fn what_contradicts_the_mesh_is_rejected() {
    let other = "another-secret-than-that-of-the-mesh-0123456789";
    for (options, key, message) in [
        ("mesh_name = \"clinc\"", "mesh_name", "did you mean `clinic`? defined are: clinic, lab"),
        ("mesh_name = \"\"", "mesh_name", "defined are: lab, clinic"),
        ("mesh_name = \"Clinic\"", "mesh_name", "did you mean `clinic`?"),
        ("mesh_id = \"01LBA\"", "mesh_id", "did you mean `01LAB`? defined are: 01LAB, 01CLINIC"),
        ("mesh_id = \"clinic\"", "mesh_id", "there is no mesh with the id `clinic`"),
        (
            "mesh_id = \"01LAB\"\noptions.mesh_name = \"clinic\"",
            "mesh_id",
            "the mesh `clinic` has the id `01CLINIC`",
        ),
        ("provider = \"runbeam\"", "provider", "the provider of the mesh `clinic` is `local`"),
        ("provider = \"Local\"", "provider", "the provider of the mesh `clinic` is `local`"),
        (&format!("jwt_secret = \"{other}\""), "jwt_secret", "the mesh `clinic` has another secret"),
        (&format!("jwt_secret = \"{other}\"\noptions.mesh_name = \"lab\""), "jwt_secret", "no `jwt_secret`"),
        ("jwt_key_path = \"keys/public.pem\"", "jwt_key_path", "the mesh `clinic` uses its `jwt_secret`"),
        (
            "jwt_key_path = \"keys/private.pem\"\noptions.mesh_name = \"lab\"",
            "jwt_key_path",
            "the `jwt_public_key_path` of the mesh `lab` is another file",
        ),
        ("jwks_url = \"https://api.runbeam.cloud/jwks.json\"", "jwks_url", "`local` has no control plane"),
        ("destination_url = \"http://a.example/x\"", "destination_url", "only requests that leave"),
        ("direction = \"Egress\"", "direction", "expected \"ingress\" or \"egress\", found \"Egress\""),
        ("direction = \"both\"", "direction", "expected \"ingress\" or \"egress\""),
        ("required = \"false\"", "required", "expected true or false"),
        ("required = 0", "required", "expected true or false"),
        ("mesh_name = [\"clinic\"]", "mesh_name", "expected a string"),
    ] {
        let (errors, _) = problems(&dir(), &sections(&format!("options.{options}\n"))).await;
        let start = format!(": middleware.m.options.{key}: ");
        let found = errors.iter().find(|line| line.contains(&start) && line.contains(message));
        assert!(found.is_some_and(|line| line.starts_with("config.toml:")), "{options}: {errors:?}");
        assert_eq!(errors.len(), 1, "{options}: {errors:?}");
        assert!(!errors[0].contains(other) && !errors[0].contains(SECRET), "a secret is shown: {errors:?}");
    }
}

/// A secret whose variable is not set is one mistake: the variable, not also another secret.
#[tokio::test]
async fn a_variable_that_is_not_set() {
    let (errors, _) = problems(&dir(), &sections("options.jwt_secret = \"$NO_SUCH_VARIABLE\"\n")).await;
    assert!(errors.len() == 1 && errors[0].contains("NO_SUCH_VARIABLE is not set"), "{errors:?}");
}

/// The mesh is checked also for a middleware that no pipeline uses.
#[tokio::test]
async fn an_unused_mesh_auth_is_checked() {
    let unused = "[middleware.unused]\ntype = \"mesh_auth\"\noptions.mesh_name = \"lab\"\noptions.provider = \"runbeam\"\n";
    let (errors, _) = problems(&dir(), &sections(unused)).await;
    assert!(errors.len() == 1 && errors[0].contains("middleware.unused.options.provider"), "{errors:?}");
}

/// An option that contradicts one of several meshes is rejected: the meshes are told apart by `mesh_name`.
#[tokio::test]
async fn one_of_two_meshes_is_contradicted() {
    let both = sections(&format!("options.jwt_secret = \"{SECRET}\"\n"));
    let both = both.replace("ingress = []", "ingress = [\"in\"]");
    let (errors, _) = problems(&dir(), &both).await;
    assert!(errors.len() == 1 && errors[0].contains("the mesh `lab` has no `jwt_secret`"), "{errors:?}");
}

/// A secret of `mesh_auth` makes no tokens valid: the keys are those of the mesh.
#[tokio::test]
async fn weak_and_foreign_secrets() {
    let short = "options.mesh_name = \"clinic\"\noptions.jwt_secret = \"short\"\n";
    let text = guarded("[\"m\"]", "default").replace(SECRET, "short") + M + short;
    let (errors, warnings) = problems(&Workdir::new(), &text).await;
    assert_eq!(errors, [""; 0]);
    let weak =
        |key: &str| warnings.iter().any(|line| line.contains(&format!(": {key}: this secret has 5 bytes")));
    assert!(weak("middleware.m.options.jwt_secret") && weak("mesh.clinic.jwt_secret"), "{warnings:?}");

    let site = Site::serving(&(guarded("[\"m\"]", "default") + M)).await;
    let forged = Forged::of("clinic")
        .claim("mesh_id", "01CLINIC".into())
        .signed_with(b"another-secret-of-32-bytes-or-more");
    assert_eq!(status(&site, "/a/x", Some(&forged.jwt())).await, 403);
}
