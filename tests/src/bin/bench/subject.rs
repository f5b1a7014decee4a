//! The proxies under load.

use harmony_tests::free_port;
use http::{Response, StatusCode};

use crate::Outcome;
use crate::configuration::{self, MeshRole, ingress_url};
use crate::connection::{Connection, GetRequest};
use crate::cpus::Cpus;
use crate::process::Process;
use crate::tokens::{Keys, check_issued};
use crate::upstream::{BODY_BYTES, REFLECT, WITH_TOKEN};

/// A proxy under load and the request sent to it.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) proxy: Process,
    pub(crate) request: GetRequest,
}

impl Subject {
    /// The minimal proxy, the baseline.
    ///
    /// # Errors
    /// Fails if a response is wrong.
    pub(crate) async fn smallest(cpus: &Cpus, upstream: &Process) -> Outcome<Self> {
        let proxy = Process::smallest_proxy(cpus, upstream.address);
        let request = GetRequest::new(proxy.address, "/");
        Self { name: "minimal hyper proxy", proxy, request }.checked().await
    }

    /// A harmony-host without a mesh.
    ///
    /// # Errors
    /// Fails if a response is wrong.
    pub(crate) async fn plain(cpus: &Cpus, upstream: &Process) -> Outcome<Self> {
        let proxy = harmony(cpus, upstream, &MeshRole::None);
        let request = GetRequest::new(proxy.address, "/");
        Self { name: "harmony-host, plain", proxy, request }.checked().await
    }

    /// A harmony-host without a mesh, with more arguments.
    ///
    /// # Errors
    /// Fails if a response is wrong.
    pub(crate) async fn observed(
        name: &'static str,
        arguments: &[&str],
        cpus: &Cpus,
        upstream: &Process,
    ) -> Outcome<Self> {
        let port = free_port();
        let files = configuration::single(port, upstream.address, &MeshRole::None);
        let proxy = Process::harmony_with(cpus, files, port, arguments);
        let request = GetRequest::new(proxy.address, "/");
        Self { name, proxy, request }.checked().await
    }

    /// A harmony-host that accepts requests from members of a mesh only.
    ///
    /// # Errors
    /// Fails if a response is wrong, or if an unverified request is accepted.
    pub(crate) async fn verifying(
        name: &'static str,
        keys: Keys,
        cpus: &Cpus,
        upstream: &Process,
    ) -> Outcome<Self> {
        let proxy = harmony(cpus, upstream, &MeshRole::Ingress(keys.clone()));
        let address = proxy.address;
        let audience = ingress_url(address.port());
        let token = keys.token(&audience);
        let subject =
            Self { name, proxy, request: GetRequest::new(address, "/").bearing(&token) }.checked().await?;
        let foreign = keys.foreign_token(&audience);
        for unverified in [GetRequest::new(address, "/"), GetRequest::new(address, "/").bearing(&foreign)] {
            let status = subject.get(&unverified).await?.status();
            if status != StatusCode::FORBIDDEN {
                return Err(format!("{name}: an unverified request received {status}"));
            }
        }
        let reflected = subject.get(&GetRequest::new(address, REFLECT).bearing(&token)).await?;
        match reflected.status() == StatusCode::OK && reflected.body().is_empty() {
            true => Ok(subject),
            false => Err(format!("{name}: the mesh token was forwarded to the upstream")),
        }
    }

    /// A harmony-host that sends requests to a member of a mesh.
    ///
    /// # Errors
    /// Fails if a response is wrong, or if the gateway attaches no valid token.
    pub(crate) async fn sending(cpus: &Cpus, upstream: &Process) -> Outcome<Self> {
        let proxy = harmony(cpus, upstream, &MeshRole::Egress);
        let (name, address) = ("harmony-host, egress token", proxy.address);
        let subject = Self { name, proxy, request: GetRequest::new(address, WITH_TOKEN) }.checked().await?;
        let reflected = subject.get(&GetRequest::new(address, REFLECT)).await?;
        check_issued(reflected.body()).map_err(|error| format!("{name}: {error}"))?;
        Ok(subject)
    }

    /// Waits for the first response and checks it.
    async fn checked(mut self) -> Outcome<Self> {
        let name = self.name;
        self.proxy.wait_until_serving(&self.request).await.map_err(|error| format!("{name}: {error}"))?;
        let mut connection = Connection::open(self.proxy.address).await?;
        connection.expect(&self.request, BODY_BYTES).await.map_err(|error| format!("{name}: {error}"))?;
        Ok(self)
    }

    async fn get(&self, request: &GetRequest) -> Outcome<Response<bytes::Bytes>> {
        Connection::open(self.proxy.address).await?.get(request).await
    }
}

fn harmony(cpus: &Cpus, upstream: &Process, role: &MeshRole) -> Process {
    let port = free_port();
    Process::harmony(cpus, configuration::single(port, upstream.address, role), port)
}
