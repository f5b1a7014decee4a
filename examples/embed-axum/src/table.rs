//! The routing table of one configuration, or the reasons for which the router cannot serve it.

use std::collections::HashSet;
use std::sync::Arc;

use harmony_host::{Problems, Rejection, Snapshot};
use provider_api::RejectionClass::Build;

/// The address of the network `public`, in cleartext. The application binds it once, at its start.
pub(crate) fn address(snapshot: &Snapshot) -> Option<std::net::SocketAddr> {
    snapshot.networks().find(|own| own.name() == "public" && !own.is_tls())?.address()
}

/// The routing table of one configuration. A request uses one table, and so one snapshot.
pub(crate) struct Table {
    pub(crate) snapshot: Arc<Snapshot>,
    /// The endpoints of the service `fhir`, as (pipeline, endpoint).
    pub(crate) fhir: HashSet<(String, String)>,
}

impl Table {
    /// Builds the table of a candidate. The host adds file and line to the problems, which have keys.
    pub(crate) fn build(snapshot: Arc<Snapshot>, serving: Option<&Arc<Snapshot>>) -> Result<Self, Rejection> {
        let (mut fhir, mut problems) = (HashSet::new(), Problems::default());
        let address = address(&snapshot);
        if address.is_none() || serving.is_some_and(|serving| address != self::address(serving)) {
            let key = "network.public.http.bind_port";
            problems.error(None, key, "one cleartext address, bound at the start");
        }
        for pipeline in snapshot.pipelines().filter(|pipeline| pipeline.unserved().is_none()) {
            if pipeline.networks().any(|network| network != "public") {
                let key = format!("pipelines.{}.networks", pipeline.name());
                problems.error(None, key, "this application listens on `public` alone");
            }
            let mut paths = HashSet::new();
            for (name, service, path) in pipeline.endpoints() {
                fhir.extend((service == "fhir").then(|| (pipeline.name().to_owned(), name.to_owned())));
                let wrong = match path.map(|path| path.trim_matches('/')) {
                    None => "the router needs a path",
                    Some(path) if path.split('/').count() > 4 => "the router takes at most 4 segments",
                    Some(path) if !paths.insert(path) => "another endpoint of the pipeline has this path",
                    Some(_) => continue,
                };
                problems.error(None, format!("endpoints.{name}.options.path_prefix"), wrong);
            }
        }
        if problems.refuse() { Err(Rejection::new(Build, problems)) } else { Ok(Self { snapshot, fhir }) }
    }
}
