use harmony_tests::free_port;
use http::{Response, StatusCode};

use crate::Outcome;
use crate::configuration::{self, Part, egress_url, ingress_url};
use crate::connection::{Ask, Connection};
use crate::cpus::Cpus;
use crate::process::Process;
use crate::tokens::{Keys, check_issued};
use crate::upstream::{BODY_BYTES, REFLECT, WITH_TOKEN};

/// A proxy that load is put on, with what it is asked.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) proxy: Process,
    pub(crate) ask: Ask,
}

impl Subject {
    /// The one that all others are compared with.
    ///
    /// # Errors
    /// When it answers wrongly.
    pub(crate) async fn smallest(cpus: &Cpus, upstream: &Process) -> Outcome<Self> {
        let proxy = Process::smallest_proxy(cpus, upstream.address);
        let ask = Ask::new(proxy.address, "/");
        Self { name: "smallest hyper proxy", proxy, ask }.proven().await
    }

    /// harmony-host without a mesh.
    ///
    /// # Errors
    /// When it answers wrongly.
    pub(crate) async fn plain(cpus: &Cpus, upstream: &Process) -> Outcome<Self> {
        let proxy = harmony(cpus, upstream, &Part::None);
        let ask = Ask::new(proxy.address, "/");
        Self { name: "harmony-host, plain", proxy, ask }.proven().await
    }

    /// harmony-host that takes requests from members of a mesh only.
    ///
    /// # Errors
    /// When it answers wrongly, above all when it takes a request that it must not take.
    pub(crate) async fn verifying(
        name: &'static str,
        keys: Keys,
        cpus: &Cpus,
        upstream: &Process,
    ) -> Outcome<Self> {
        let proxy = harmony(cpus, upstream, &Part::Ingress(keys.clone()));
        let address = proxy.address;
        let audience = ingress_url(address.port());
        let token = keys.token(&audience);
        let subject = Self { name, proxy, ask: Ask::new(address, "/").bearing(&token) }.proven().await?;
        let stranger = keys.strangers_token(&audience);
        for unverified in [Ask::new(address, "/"), Ask::new(address, "/").bearing(&stranger)] {
            let status = subject.answer(&unverified).await?.status();
            if status != StatusCode::FORBIDDEN {
                return Err(format!("{name}: an unverified request was answered with {status}"));
            }
        }
        let reflected = subject.answer(&Ask::new(address, REFLECT).bearing(&token)).await?;
        match reflected.status() == StatusCode::OK && reflected.body().is_empty() {
            true => Ok(subject),
            false => Err(format!("{name}: the mesh token went on to the upstream")),
        }
    }

    /// harmony-host that sends requests to a member of a mesh.
    ///
    /// # Errors
    /// When it answers wrongly, or attaches no good token.
    pub(crate) async fn sending(cpus: &Cpus, upstream: &Process) -> Outcome<Self> {
        let proxy = harmony(cpus, upstream, &Part::Egress);
        let (name, address) = ("harmony-host, egress token", proxy.address);
        let subject = Self { name, proxy, ask: Ask::new(address, WITH_TOKEN) }.proven().await?;
        let reflected = subject.answer(&Ask::new(address, REFLECT)).await?;
        check_issued(reflected.body(), &egress_url(upstream.address))
            .map_err(|wrong| format!("{name}: {wrong}"))?;
        Ok(subject)
    }

    /// Waits for the first answer and looks at it.
    async fn proven(mut self) -> Outcome<Self> {
        let name = self.name;
        self.proxy.until_answering(&self.ask).await.map_err(|wrong| format!("{name}: {wrong}"))?;
        let mut connection = Connection::open(self.proxy.address).await?;
        connection.expect(&self.ask, BODY_BYTES).await.map_err(|wrong| format!("{name}: {wrong}"))?;
        Ok(self)
    }

    async fn answer(&self, ask: &Ask) -> Outcome<Response<bytes::Bytes>> {
        Connection::open(self.proxy.address).await?.get(ask).await
    }
}

fn harmony(cpus: &Cpus, upstream: &Process, part: &Part) -> Process {
    let port = free_port();
    Process::harmony(cpus, configuration::one(port, upstream.address, part), port)
}
