use std::fmt::Write as _;
use std::net::SocketAddr;

use harmony_tests::{SECRET, Workdir, free_port};

use crate::tokens::{Keys, MESH};

/// What a gateway does with the mesh.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// It has none.
    None,
    /// It takes requests from members only, whose tokens these keys verify.
    Ingress(Keys),
    /// It sends requests to a member, with tokens.
    Egress,
}

/// A gateway on `port` that sends everything on to `upstream`.
pub(crate) fn one(port: u16, upstream: SocketAddr, part: &Part) -> Workdir {
    let mut files = vec![
        ("config.toml".to_owned(), gateway(port)),
        ("pipelines/bench.toml".to_owned(), pipeline("bench", "/", upstream)),
    ];
    match part {
        Part::None => {}
        Part::Ingress(keys) => {
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
        Part::Egress => {
            files[1].1 += "[pipelines.bench.mesh.egress.bench]\ntype = \"http\"\n";
            let members = "ingress = [\"peer\"]\negress = [\"bench\"]";
            let key = format!("jwt_secret = \"{SECRET}\"");
            let remote = format!("[remote_ingress.peer]\nurls = [\"{}\"]\n", egress_url(upstream));
            files.push(("mesh/bench.toml".to_owned(), mesh(&key, members) + &remote));
        }
    }
    Workdir::with(files.iter().map(|(name, text)| (name.as_str(), text.clone())))
}

/// A gateway on `port` with `count` pipelines in a file each, all to `upstream`.
pub(crate) fn many(port: u16, upstream: SocketAddr, count: usize) -> Workdir {
    let files = Workdir::with([("config.toml", gateway(port))]);
    for n in 0..count {
        let name = numbered(n);
        files.write(&file(n), &pipeline(&name, &format!("/{name}"), upstream));
    }
    files
}

/// The same with a remote primary provider at `api`, which is asked on demand, and one more pipeline, on the path
/// `/far`, that sends to another team's ingress.
pub(crate) fn followed(port: u16, upstream: SocketAddr, count: usize, api: &str) -> Workdir {
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

/// What the other team declares.
pub(crate) fn partner(upstream: SocketAddr) -> String {
    format!(
        "[pipelines.api]\nnetworks = []\nendpoints = [\"api\"]\nbackends = [\"api\"]\n\
         [pipelines.api.mesh.ingress.api]\ntype = \"http\"\nurls = [\"http://{upstream}\"]\nendpoint = \"api\"\n\
         [endpoints.api]\nservice = \"http\"\n[backends.api]\nservice = \"echo\"\n"
    )
}

/// The name of the pipeline, and of its path, that stands at `n` in [`many`].
pub(crate) fn numbered(n: usize) -> String {
    format!("p{n:04}")
}

/// The file that the pipeline at `n` stands in.
pub(crate) fn file(n: usize) -> String {
    format!("pipelines/{}.toml", numbered(n))
}

/// A pipeline that answers on the path `/{name}` itself and names its endpoint `endpoint` in the answer.
pub(crate) fn echo(name: &str, endpoint: &str) -> String {
    format!(
        "[pipelines.{name}]\nnetworks = [\"public\"]\nendpoints = [\"{endpoint}\"]\nbackends = [\"{name}\"]\n\n\
         [endpoints.{endpoint}]\nservice = \"http\"\noptions.path_prefix = \"/{name}\"\n\n\
         [backends.{name}]\nservice = \"echo\"\n"
    )
}

/// The URL of the ingress that a gateway on `port` has.
pub(crate) fn ingress_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/")
}

/// The URL of the ingress that tokens are issued for.
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
