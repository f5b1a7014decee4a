//! The way of a URL or a path through the gateway.

use std::net::{IpAddr, SocketAddr};

use provider_api::{InvalidPath, UrlPath};
use serde::Serialize;
use url::Url;

use crate::difference::words;
use crate::explain::candidates::{Other, Request};
use crate::explain::route::RouteExplanation;
use crate::explain::{Asked, Refusal};
use crate::http::url_prefix::{Scheme, UrlPrefix};
use crate::plan::route_table::RouteQuery;
use crate::plan::{PlannedPipeline, Route};
use crate::snapshot::ListenerSpec;

/// The way of a URL or a path through the gateway.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct UrlExplanation {
    /// The URL without its user information and query.
    pub(crate) asked: String,
    /// The generation that is explained.
    pub(crate) generation: u64,
    /// The networks that the request may come in on.
    pub(crate) networks: Vec<NetworkExplanation>,
    /// The assumption that was necessary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// The way of a request that comes in on one network.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NetworkExplanation {
    pub(crate) network: String,
    /// The address of its listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listener: Option<String>,
    pub(crate) tls: bool,
    /// `route`, `no_route`, `closed`, `not_served`, `management`, `redirect`, `misdirected`, `bad_request` or `unreachable`.
    pub(crate) outcome: &'static str,
    pub(crate) in_words: String,
    /// The status of the response, if no backend gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<RouteExplanation>,
    /// The routes that come next, with the reason for which each is not taken.
    pub(crate) others: Vec<Other>,
    pub(crate) others_left_out: usize,
}

/// The parts of a URL that routing depends on.
struct Parts {
    /// The host and port as a client would send them; empty for a path alone.
    authority: String,
    host: String,
    port: Option<u16>,
    path: String,
}

impl NetworkExplanation {
    /// Returns the explanation of a network until more is known: the one that holds without a listener.
    fn unreachable(network: &str, listener: Option<(SocketAddr, &ListenerSpec)>) -> Self {
        Self {
            network: network.to_owned(),
            listener: listener.map(|(at, _)| at.to_string()),
            tls: listener.is_some_and(|(_, spec)| spec.tls.is_some()),
            outcome: "unreachable",
            in_words: "the network has no listener".to_owned(),
            status: None,
            route: None,
            others: Vec::new(),
            others_left_out: 0,
        }
    }
}

impl Asked<'_> {
    /// Explains a URL of http or https.
    pub(super) async fn url(&self, text: &str) -> Result<UrlExplanation, Refusal> {
        let url =
            Url::parse(text).map_err(|error| Refusal::malformed(format!("this is not a URL: {error}")))?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => {
                let message = format!("requests have URLs of http or https, not {}", other.escape_debug());
                return Err(Refusal::malformed(message));
            }
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        let authority = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        // `Url` resolves `..`, as clients do; the gateway sees what is left.
        let parts = Parts { authority, host, port: url.port(), path: url.path().to_owned() };
        let port = parts.port.unwrap_or(scheme.default_port());
        let all: Vec<_> = self.listeners().collect();
        let reached: Vec<_> = all
            .iter()
            .filter(|(_, at)| {
                at.is_some_and(|(at, spec)| {
                    at.port() == port
                        && spec.tls.is_some() == (scheme == Scheme::Https)
                        && is_host_of(&parts.host, at.ip())
                })
            })
            .collect();
        let note = reached.is_empty().then(|| {
            format!(
                "no listener has port {port} for {}; behind a proxy the request may come in on any network",
                scheme.as_str()
            )
        });
        let chosen: Vec<_> = if reached.is_empty() { all.iter().collect() } else { reached };
        let mut networks = Vec::new();
        for (network, listener) in chosen {
            networks.push(self.network(network, *listener, &parts).await);
        }
        let (asked, generation) = (words::shown_url(&url), self.snapshot.generation);
        Ok(UrlExplanation { asked, generation, networks, note })
    }

    /// Explains a path, on every network.
    pub(super) async fn path(&self, text: &str) -> UrlExplanation {
        let path = text.split(['?', '#']).next().unwrap_or_default().to_owned();
        let parts = Parts { authority: String::new(), host: String::new(), port: None, path };
        let mut networks = Vec::new();
        for (network, listener) in self.listeners() {
            networks.push(self.network(network, listener, &parts).await);
        }
        let note = "a path has no host, so the URLs of ingresses are not taken".to_owned();
        let (asked, generation) = (words::without_secrets(&parts.path), self.snapshot.generation);
        UrlExplanation { asked, generation, networks, note: Some(note) }
    }

    /// Returns the networks with their listeners.
    fn listeners(&self) -> impl Iterator<Item = (&str, Option<(SocketAddr, &ListenerSpec)>)> {
        self.snapshot.config.networks.iter().map(|network| {
            let name = network.name.as_str();
            let mut all = self.snapshot.listeners.iter();
            let listener = all.find(|(_, spec)| *spec.network == *name).map(|(at, spec)| (*at, spec));
            (name, listener)
        })
    }

    async fn network(
        &self,
        network: &str,
        listener: Option<(SocketAddr, &ListenerSpec)>,
        parts: &Parts,
    ) -> NetworkExplanation {
        let mut explained = NetworkExplanation::unreachable(network, listener);
        if listener.is_none() {
            return explained;
        }
        let scheme = if explained.tls { Scheme::Https } else { Scheme::Http };
        let Parts { authority, host, port, path } = parts;
        let mut answered = |outcome, status, in_words: String| {
            explained.outcome = outcome;
            explained.status = status;
            explained.in_words = in_words;
        };
        if (self.is_managed)(network, path) {
            answered("management", None, "the management API answers".to_owned());
            return explained;
        }
        let parsed = match UrlPath::parse(path).map_err(InvalidPath::as_str) {
            Ok(parsed) => parsed,
            Err(message) => {
                answered("bad_request", Some(400), message.to_owned());
                return explained;
            }
        };
        if scheme == Scheme::Http
            && let Some(origin) = self.snapshot.https_origin(network, authority)
        {
            match origin {
                Some(origin) => answered(
                    "redirect",
                    Some(308),
                    format!("redirected to {origin}, since the network has force_https"),
                ),
                None => answered(
                    "misdirected",
                    Some(421),
                    "the network takes no cleartext requests, and the host is none of this gateway"
                        .to_owned(),
                ),
            }
            return explained;
        }
        let query = RouteQuery { scheme, host, port: port.unwrap_or(scheme.default_port()), path: &parsed };
        self.routed(&mut explained, &query).await;
        explained
    }

    async fn routed(&self, explained: &mut NetworkExplanation, query: &RouteQuery<'_>) {
        let network = explained.network.clone();
        let found = self.snapshot.plans.tables.get(network.as_str()).map(|table| table.find(query));
        let route: Option<&Route> = match found {
            Some(Ok(found)) => found.map(|found| &**found.route),
            Some(Err(message)) => {
                explained.outcome = "bad_request";
                explained.status = Some(400);
                explained.in_words = message.to_owned();
                None
            }
            None => None,
        };
        let planned = route.and_then(|route| self.snapshot.plans.pipeline(&route.pipeline.name));
        let prefix = planned.zip(route).map(|(planned, route)| prefix_of(planned, route)).unwrap_or_default();
        let winner = route.map(|route| (route, prefix.as_str()));
        (explained.others, explained.others_left_out) =
            self.others(&Request { network: &network, query, winner });
        let Some((planned, route)) = planned.zip(route) else {
            if explained.status.is_none() {
                explained.outcome = "no_route";
                explained.status = Some(404);
                explained.in_words = "no route has this path".to_owned();
            }
            return;
        };
        let explanation = self.route(planned, prefix, route).await;
        (explained.outcome, explained.status, explained.in_words) =
            match (&route.pipeline.unserved, &route.closed) {
                (Some(missing), _) => ("not_served", Some(501), format!("this host does not have {missing}")),
                (None, Some(reason)) => ("closed", Some(503), reason.to_string()),
                (None, None) => (
                    "route",
                    None,
                    format!("pipeline {}: {}", route.pipeline.name, explanation.leads_to.in_words),
                ),
            };
        explained.route = Some(explanation);
    }
}

/// Returns the path or URL that the requests of a route begin with.
fn prefix_of(planned: &PlannedPipeline, route: &Route) -> String {
    let found = planned.prefixes().find(|(_, known)| std::ptr::eq(*known, route));
    match found.and_then(|(url, _)| url.map(UrlPrefix::as_str)) {
        Some(url) => url.to_owned(),
        None => format!("/{}", route.endpoint_prefix.join("/")),
    }
}

/// Returns whether a client that connects to `host` may reach a listener on `ip`.
fn is_host_of(host: &str, ip: IpAddr) -> bool {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(given) => ip.is_unspecified() || ip == given,
        Err(_) if host == "localhost" => ip.is_unspecified() || ip.is_loopback(),
        // A name may lead to any address of this machine.
        Err(_) => true,
    }
}
