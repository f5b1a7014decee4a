//! The proxies under measurement.

use std::net::SocketAddr;

use harmony_tests::{Identity, Workdir, free_port};

use super::servers::{Kind, directory, nginx};
use super::target::{Front, Target};
use super::upstream::Upstream;
use crate::Outcome;
use crate::configuration;
use crate::connection::GetRequest;
use crate::cpus::{Cpus, Place};
use crate::process::{Process, loopback};
use crate::subject::Subject;
use crate::tokens::Keys;

/// The proxies, each started once for all scenarios. Those that are not installed are missing.
#[derive(Debug)]
pub(super) struct Proxies {
    pub(super) nginx: Option<Nginx>,
    pub(super) haproxy: Option<Process>,
    pub(super) smallest: Subject,
    pub(super) plain: Subject,
    /// The gateways with a mesh: verifying HS256, verifying RS256, sending.
    pub(super) mesh: [Subject; 3],
    pub(super) secure: Option<Secure>,
}

impl Proxies {
    /// Starts all proxies and checks a response of each.
    ///
    /// # Errors
    /// Fails if a proxy does not start or if a response is wrong.
    pub(super) async fn start(cpus: &Cpus, upstream: &Upstream, identity: &Identity) -> Outcome<Self> {
        let nginx = match Kind::Nginx.is_installed() {
            true => Some(Nginx::start(Place::Proxy(cpus), 1, upstream, identity).await?),
            false => None,
        };
        let haproxy = match Kind::Haproxy.is_installed() {
            true => Some(haproxy(Place::Proxy(cpus), upstream).await?),
            false => None,
        };
        let secure = match upstream.tls {
            Some(tls) => Some(Secure::start(Place::Proxy(cpus), tls, identity).await?),
            None => None,
        };
        let verifying = |name, keys| Subject::verifying(name, keys, cpus, &upstream.process);
        Ok(Self {
            nginx,
            haproxy,
            smallest: Subject::smallest(cpus, &upstream.process).await?,
            plain: Subject::plain(cpus, &upstream.process).await?,
            mesh: [
                verifying("harmony-host, mesh HS256", Keys::Shared).await?,
                verifying("harmony-host, mesh RS256", Keys::rsa()).await?,
                Subject::sending(cpus, &upstream.process).await?,
            ],
            secure,
        })
    }
}

/// An nginx that proxies in clear text, from HTTP/2 in clear text, and from TLS to TLS, each on its own port.
#[derive(Debug)]
pub(super) struct Nginx {
    pub(super) process: Process,
    pub(super) http2: SocketAddr,
    pub(super) tls: Option<Front>,
}

impl Nginx {
    /// Starts an nginx with these worker processes.
    ///
    /// # Errors
    /// Fails if the first response is wrong.
    pub(super) async fn start(
        place: Place<'_>,
        workers: usize,
        upstream: &Upstream,
        identity: &Identity,
    ) -> Outcome<Self> {
        let (plain, http2, tls) = (free_port(), free_port(), free_port());
        let address = upstream.process.address;
        let group = |name, address| {
            format!(
                "upstream {name} {{ server {address}; keepalive 2048; keepalive_requests 1000000000; \
                 keepalive_timeout 1h; }}\n"
            )
        };
        let mut servers = group("plain", address)
            + &format!(
                "server {{ listen 127.0.0.1:{plain} backlog=4096; listen 127.0.0.1:{http2} http2; \
                 location / {{ proxy_pass http://plain; }} }}\n"
            );
        if let Some(address) = upstream.tls {
            // Harmony checks the certificate of its backend too.
            servers += &group("secure", address);
            servers += &format!(
                "server {{ listen 127.0.0.1:{tls} ssl backlog=4096; ssl_certificate DIR/cert.pem; \
                 ssl_certificate_key DIR/key.pem; location / {{ proxy_pass https://secure; \
                 proxy_ssl_verify on; proxy_ssl_trusted_certificate DIR/cert.pem; proxy_ssl_name localhost; }} }}\n"
            );
        }
        let mut process = Kind::Nginx.start(place, directory(identity), &nginx(workers, &servers), plain);
        wait("nginx", &mut process).await?;
        let tls = upstream.tls.map(|_| Front::tls(loopback(tls), identity));
        Ok(Self { process, http2: loopback(http2), tls })
    }

    /// The target in clear text.
    pub(super) fn target(&self) -> Target<'_> {
        Target::new("nginx", &self.process)
    }
}

/// A harmony-host with TLS to its clients and to its backend.
#[derive(Debug)]
pub(super) struct Secure {
    pub(super) process: Process,
    pub(super) front: Front,
}

impl Secure {
    /// Starts the gateway before the backend at `upstream`.
    ///
    /// # Errors
    /// Fails if the first response is wrong.
    pub(super) async fn start(place: Place<'_>, upstream: SocketAddr, identity: &Identity) -> Outcome<Self> {
        let (port, tls) = (free_port(), free_port());
        let files = configuration::secure(port, tls, upstream, identity);
        let mut process = Process::harmony_at(place, files, port);
        wait("harmony-host with TLS", &mut process).await?;
        Ok(Self { process, front: Front::tls(loopback(tls), identity) })
    }
}

async fn haproxy(place: Place<'_>, upstream: &Upstream) -> Outcome<Process> {
    let port = free_port();
    let config = format!(
        "global\n    maxconn 2048\n\
         defaults\n    mode http\n    http-reuse always\n    timeout connect 5s\n    timeout client 60s\n    \
         timeout server 60s\n\
         frontend all\n    bind 127.0.0.1:{port} backlog 4096\n    default_backend behind\n\
         backend behind\n    server one {}\n",
        upstream.process.address
    );
    let mut process = Kind::Haproxy.start(place, Workdir::new(), &config, port);
    wait("haproxy", &mut process).await?;
    Ok(process)
}

/// Waits for the first response in clear text.
async fn wait(name: &str, process: &mut Process) -> Outcome<()> {
    let request = GetRequest::new(process.address, "/");
    process.wait_until_serving(&request).await.map(drop).map_err(|error| format!("{name}: {error}"))
}
