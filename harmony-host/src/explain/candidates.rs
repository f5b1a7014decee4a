//! The routes that a request does not take, with the reason of each.

use provider_api::UrlPath;
use serde::Serialize;

use crate::diagnostics::source::Spanned;
use crate::explain::Asked;
use crate::http::url_prefix::UrlPrefix;
use crate::plan::route_table::RouteQuery;
use crate::plan::{PlannedPipeline, Route};

/// The most routes that are named.
const MOST: usize = 5;

/// A route that a request does not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Other {
    pub(crate) prefix: String,
    pub(crate) network: String,
    pub(crate) pipeline: String,
    pub(crate) why_not: String,
}

/// A candidate and its rank: the reasons that are the nearest to a match first, of those the longest prefix.
struct Ranked {
    rank: (u8, std::cmp::Reverse<usize>),
    other: Other,
}

/// The request on one network, and the route that it takes there.
pub(super) struct Request<'a> {
    pub(super) network: &'a str,
    pub(super) query: &'a RouteQuery<'a>,
    pub(super) winner: Option<(&'a Route, &'a str)>,
}

impl Asked<'_> {
    /// Returns the routes that come next, and the number of those that are left out.
    pub(super) fn others(&self, request: &Request<'_>) -> (Vec<Other>, usize) {
        let mut ranked: Vec<Ranked> = Vec::new();
        for planned in self.snapshot.plans.all() {
            for network in &planned.linked().pipeline.networks {
                add(planned, network, request, &mut ranked);
            }
        }
        ranked.sort_by(|a, b| a.rank.cmp(&b.rank).then_with(|| a.other.prefix.cmp(&b.other.prefix)));
        let left_out = ranked.len().saturating_sub(MOST);
        (ranked.into_iter().take(MOST).map(|one| one.other).collect(), left_out)
    }
}

fn add(
    planned: &PlannedPipeline,
    network: &Spanned<String>,
    request: &Request<'_>,
    ranked: &mut Vec<Ranked>,
) {
    for (url, route) in planned.prefixes() {
        if request.winner.is_some_and(|(winner, _)| std::ptr::eq(winner, route))
            && network.value == request.network
        {
            continue;
        }
        let segments = url.map_or(&*route.endpoint_prefix, UrlPrefix::segments);
        let prefix = url.map_or_else(|| format!("/{}", segments.join("/")), |url| url.as_str().to_owned());
        let found = match is_below(request.query.path, segments) {
            true if network.value != request.network => {
                Some((2, format!("it is on network {}", network.value)))
            }
            true => Some((0, why_not(url, request))),
            // Without any route, a path that is nearly right is a likely mistake.
            false if request.winner.is_none() && network.value == request.network => {
                is_near(request.query.path.as_str(), segments)
                    .then(|| (1, format!("the path is not below /{}", segments.join("/"))))
            }
            false => None,
        };
        let Some((rank, why_not)) = found else { continue };
        let other = Other {
            prefix,
            network: network.value.clone(),
            pipeline: route.pipeline.name.to_string(),
            why_not,
        };
        ranked.push(Ranked { rank: (rank, std::cmp::Reverse(segments.len())), other });
    }
}

/// Returns why a route of the same network, whose prefix the path has, is not taken.
fn why_not(url: Option<&UrlPrefix>, request: &Request<'_>) -> String {
    let query = request.query;
    if let Some(url) = url {
        let host = query.host.trim_end_matches('.').to_ascii_lowercase();
        if host.is_empty() {
            return format!("it is for the host {}, and no host was given", url.host());
        }
        if url.host() != host {
            return format!("it is for the host {}", url.host());
        }
        if url.scheme() != query.scheme {
            return format!(
                "it is for {}, and the listener has {}",
                url.scheme().as_str(),
                query.scheme.as_str()
            );
        }
        if url.port() != query.port {
            return format!("it is for port {}", url.port());
        }
    }
    match request.winner {
        Some((winner, prefix)) if url.is_none() && winner.ingress.is_some() => {
            format!("the URL of an ingress, {prefix}, comes before paths")
        }
        Some((_, prefix)) => format!("{prefix} is longer"),
        None => "another reading of the path belongs to another route".to_owned(),
    }
}

fn is_below(path: &UrlPath<'_>, prefix: &[String]) -> bool {
    let mut segments = path.segments();
    prefix.iter().all(|wanted| segments.next().is_some_and(|(segment, _)| *segment == **wanted))
}

/// Returns whether the first segments of a path are nearly those of the prefix.
fn is_near(path: &str, prefix: &[String]) -> bool {
    let given: Vec<&str> = path.trim_start_matches('/').split('/').take(prefix.len()).collect();
    let (given, wanted) = (given.join("/"), prefix.join("/"));
    given.len() < 256 && strsim::normalized_damerau_levenshtein(&given, &wanted) >= 0.6
}
