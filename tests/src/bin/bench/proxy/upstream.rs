//! The server behind the proxies: nginx if it is installed, else the benchmark's own.

use std::net::SocketAddr;

use harmony_tests::{Identity, free_port};

use super::servers::{Kind, directory, nginx};
use super::target::Target;
use crate::Outcome;
use crate::connection::GetRequest;
use crate::cpus::Place;
use crate::process::{Process, loopback};
use crate::upstream::{BODY_BYTES, Body, REFLECT, WITH_TOKEN};

/// The server behind the proxies, on the CPUs of the load.
#[derive(Debug)]
pub(super) struct Upstream {
    /// The program, for people.
    pub(super) name: &'static str,
    pub(super) process: Process,
    /// The address with TLS. The benchmark's own server has none.
    pub(super) tls: Option<SocketAddr>,
}

impl Upstream {
    /// Starts the server.
    ///
    /// # Errors
    /// Fails if the server does not respond.
    pub(super) async fn start(identity: &Identity) -> Outcome<Self> {
        let mut upstream = match Kind::Nginx.is_installed() {
            true => Self::nginx(identity),
            false => Self { name: "the benchmark's own server", process: Process::upstream(), tls: None },
        };
        let request = GetRequest::new(upstream.process.address, "/");
        upstream.process.wait_until_serving(&request).await.map_err(|error| format!("upstream: {error}"))?;
        Ok(upstream)
    }

    /// The server as the target of a load without a proxy, which shows the cost of the load itself.
    pub(super) fn target(&self) -> Target<'_> {
        Target::new("no proxy", &self.process)
    }

    /// Starts an nginx that has all bodies, and the paths that show the mesh tokens.
    fn nginx(identity: &Identity) -> Self {
        let (plain, tls) = (free_port(), free_port());
        let files = directory(identity);
        for body in [Body::Medium, Body::Large] {
            files.write(&format!("www{}", body.path()), &String::from_utf8_lossy(body.content()));
        }
        let small = "x".repeat(BODY_BYTES);
        let servers = format!(
            r#"server {{
        listen 127.0.0.1:{plain} backlog=4096; listen 127.0.0.1:{tls} ssl backlog=4096;
        ssl_certificate DIR/cert.pem; ssl_certificate_key DIR/key.pem;
        root DIR/www;
        location = / {{ return 200 "{small}"; }}
        location = {WITH_TOKEN} {{
            if ($http_authorization !~ "^Bearer ") {{ return 401; }}
            return 200 "{small}";
        }}
        location = {REFLECT} {{ return 200 $http_authorization; }}
    }}"#
        );
        let process = Kind::Nginx.start(Place::Load, files, &nginx(1, &servers), plain);
        Self { name: "nginx, one worker", process, tls: Some(loopback(tls)) }
    }
}
