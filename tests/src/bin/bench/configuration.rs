//! The configurations of the gateways under measurement.

use std::fmt::Write as _;
use std::net::SocketAddr;

use harmony_tests::{Identity, SECRET, Workdir, free_port};

use crate::tokens::{Keys, MESH};

/// The role of a gateway in the mesh.
#[derive(Clone, Debug)]
pub(crate) enum MeshRole {
    /// No mesh.
    None,
    /// An ingress for members only; these keys verify their tokens.
    Ingress(Keys),
    /// An egress that sends requests with tokens to a member.
    Egress,
}

/// A gateway on `port` with one pipeline that forwards all requests to `upstream`.
pub(crate) fn single(port: u16, upstream: SocketAddr, role: &MeshRole) -> Workdir {
    let mut files = vec![
        ("config.toml".to_owned(), gateway(port)),
        ("pipelines/bench.toml".to_owned(), pipeline("bench", "/", upstream)),
    ];
    match role {
        MeshRole::None => {}
        MeshRole::Ingress(keys) => {
            let url = ingress_url(port);
            files[1].1 += &format!(
                "[pipelines.bench.mesh.ingress.bench]\ntype = \"http\"\nurls = [\"{url}\"]\nmode = \"mesh\"\n"
            );
            let key = match keys {
                Keys::Shared => format!("jwt_secret = \"{SECRET}\""),
                Keys::Rsa { public, .. } => {
                    files.push(("keys/public.pem".to_owned(), public.clone()));
                    "jwt_public_key_path = \"keys/public.pem\"".to_owned()
                }
            };
            files.push(("mesh/bench.toml".to_owned(), mesh(&key, "ingress = [\"bench\"]")));
        }
        MeshRole::Egress => {
            files[1].1 += "[pipelines.bench.mesh.egress.bench]\ntype = \"http\"\n";
            let members = "ingress = [\"peer\"]\negress = [\"bench\"]";
            let key = format!("jwt_secret = \"{SECRET}\"");
            let remote = format!("[remote_ingress.peer]\nurls = [\"{}\"]\n", egress_url(upstream));
            files.push(("mesh/bench.toml".to_owned(), mesh(&key, members) + &remote));
        }
    }
    Workdir::with(files.iter().map(|(name, text)| (name.as_str(), text.clone())))
}

/// A gateway with one pipeline that forwards all requests to `upstream` over TLS. Its clients connect to `tls` with TLS, and
/// to `port` without.
pub(crate) fn secure(port: u16, tls: u16, upstream: SocketAddr, identity: &Identity) -> Workdir {
    let config = gateway(port)
        + &format!(
            "\n[network.secure.http]\nbind_address = \"127.0.0.1\"\nbind_port = {tls}\n\
             cert_path = \"tls/cert.pem\"\nkey_path = \"tls/key.pem\"\n"
        );
    let text = pipeline("bench", "/", upstream)
        .replace("networks = [\"public\"]", "networks = [\"public\", \"secure\"]")
        .replace("http://", "https://");
    Workdir::with([
        ("config.toml", config),
        ("pipelines/bench.toml", text + "options.ca_cert_path = \"tls/cert.pem\"\n"),
        ("tls/cert.pem", identity.cert.clone()),
        ("tls/key.pem", identity.key.clone()),
    ])
}

/// A gateway on `port` with `count` pipelines, each in its own file, that forward to `upstream`.
pub(crate) fn many(port: u16, upstream: SocketAddr, count: usize) -> Workdir {
    let files = Workdir::with([("config.toml", gateway(port))]);
    for n in 0..count {
        let name = pipeline_name(n);
        files.write(&pipeline_file(n), &pipeline(&name, &format!("/{name}"), upstream));
    }
    files
}

/// The same gateway with the primary provider `runbeam` at `api`, and one more pipeline on the path `/far` that
/// forwards to another team's ingress.
pub(crate) fn with_runbeam(port: u16, upstream: SocketAddr, count: usize, api: &str) -> Workdir {
    let files = many(port, upstream, count);
    let primary = format!(
        "primary_provider = \"runbeam\"\n\n[provider.runbeam]\napi = \"{api}\"\npoll_interval_secs = 30"
    );
    files.edit("config.toml", "primary_provider = \"local\"", &primary);
    let far = pipeline("far", "/far", upstream).replace(
        &format!("options.base_url = \"http://{upstream}\""),
        "target_ref = \"runbeam.partner.ingress.name.api\"",
    );
    files.write("pipelines/far.toml", &far);
    files
}

/// The pipeline of the other team, with the ingress.
pub(crate) fn partner(upstream: SocketAddr) -> String {
    format!(
        "[pipelines.api]\nnetworks = []\nendpoints = [\"api\"]\nbackends = [\"api\"]\n\
         [pipelines.api.mesh.ingress.api]\ntype = \"http\"\nurls = [\"http://{upstream}\"]\nendpoint = \"api\"\n\
         [endpoints.api]\nservice = \"http\"\n[backends.api]\nservice = \"echo\"\n"
    )
}

/// The name of pipeline `n` of [`many`], which is also its path.
pub(crate) fn pipeline_name(n: usize) -> String {
    format!("p{n:04}")
}

/// The file of pipeline `n` of [`many`].
pub(crate) fn pipeline_file(n: usize) -> String {
    format!("pipelines/{}.toml", pipeline_name(n))
}

/// A pipeline that echoes requests below `/{name}`; the response contains the name of its endpoint.
pub(crate) fn echo(name: &str, endpoint: &str) -> String {
    format!(
        "[pipelines.{name}]\nnetworks = [\"public\"]\nendpoints = [\"{endpoint}\"]\nbackends = [\"{name}\"]\n\n\
         [endpoints.{endpoint}]\nservice = \"http\"\noptions.path_prefix = \"/{name}\"\n\n\
         [backends.{name}]\nservice = \"echo\"\n"
    )
}

/// The ingress URL of a gateway on `port`.
pub(crate) fn ingress_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/")
}

/// The ingress URL for which an egress issues tokens.
pub(crate) fn egress_url(upstream: SocketAddr) -> String {
    format!("http://{upstream}")
}

fn gateway(port: u16) -> String {
    let mut text = "[proxy]\nid = \"bench\"\nprimary_provider = \"local\"\n\n".to_owned();
    for (network, port) in [("public", port), ("management", free_port())] {
        let _ =
            write!(text, "[network.{network}.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n\n");
    }
    text + "[management]\nenabled = true\nnetwork = \"management\"\n"
}

fn pipeline(name: &str, path: &str, upstream: SocketAddr) -> String {
    format!(
        "[pipelines.{name}]\nnetworks = [\"public\"]\nendpoints = [\"{name}\"]\nbackends = [\"{name}\"]\n\n\
         [endpoints.{name}]\nservice = \"http\"\noptions.path_prefix = \"{path}\"\n\n\
         [backends.{name}]\nservice = \"http\"\noptions.base_url = \"http://{upstream}\"\n\n"
    )
}

fn mesh(key: &str, members: &str) -> String {
    format!("[mesh.{MESH}]\ntype = \"http\"\nprovider = \"local\"\nauth_type = \"jwt\"\n{key}\n{members}\n\n")
}
