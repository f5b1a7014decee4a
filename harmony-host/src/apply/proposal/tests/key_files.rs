//! Files of keys and certificates that changes name.

use super::{proposed, proposed_to};

fn problems(kind: &str, toml: &str) -> Vec<String> {
    let rejection = proposed(kind, toml, Vec::new()).err();
    rejection.map(|r| r.problems.errors().map(ToString::to_string).collect()).unwrap_or_default()
}

/// A control plane must not have the gateway read or trust a file beyond the directory of config.toml.
#[test]
fn key_files_stay_below_the_directory() {
    for (kind, toml) in [
        ("mesh", "[mesh.m]\njwt_public_key_path = \"PATH\"\n"),
        ("mesh", "[mesh.m]\n\"jwt_private_key_path\" = 'PATH'\n"),
        ("pipeline", "[pipelines.p]\n[backends.b.connection]\nca_cert_path = \"PATH\"\n"),
        ("pipeline", "pipelines.p = {}\nbackends.b.options.ca_cert_path = \"PATH\"\n"),
        ("gateway", "network.n = { http = { cert_path = \"PATH\" } }\n"),
        ("gateway", "[[x.l]]\nkey_path = \"PATH\"\n"),
    ] {
        for path in ["/etc/ssl/key.pem", "../key.pem", "keys/../../key.pem", "$KEYS/key.pem", "${KEYS}"] {
            let found = problems(kind, &toml.replace("PATH", path));
            assert!(
                found.iter().any(|text| text.contains("below the directory")),
                "{toml} {path}: {found:?}"
            );
        }
        assert_eq!(problems(kind, &toml.replace("PATH", "keys/key.pem")), [""; 0], "{toml}");
    }
}

/// A path that the configuration has already may be repeated.
#[test]
fn own_key_files_may_be_repeated() {
    let own = "[proxy]\nid = \"a\"\n[network.n.http]\nbind_port = 1\ncert_path = \"/etc/c.pem\"\n";
    let change = own.replace("bind_port = 1", "bind_port = 2");
    assert!(proposed_to(own, "gateway", &change, Vec::new()).is_ok());
}
