//! The check for paths and URLs that two pipelines claim.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::link::LinkedPipeline;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};
use crate::http::url_prefix::{Scheme, UrlPrefix};

/// A path prefix on a network.
type PathKey<'a> = (&'a str, &'a [String]);
/// An ingress URL on a network.
type UrlKey<'a> = (&'a str, Scheme, &'a str, u16, &'a [String]);

/// Adds an error for every path on a network, and every ingress URL, that two pipelines claim.
pub(crate) fn check(pipelines: &[Arc<LinkedPipeline>], problems: &mut Problems) {
    let mut paths: HashMap<PathKey<'_>, (&str, &Place)> = HashMap::with_capacity(pipelines.len());
    let mut urls: HashMap<UrlKey<'_>, (&str, &str, &Place)> = HashMap::new();
    for linked in pipelines {
        let name = linked.pipeline.name.as_str();
        for network in &linked.pipeline.networks {
            let network = network.value.as_str();
            for (segments, prefix) in linked.endpoints.iter().filter_map(|endpoint| endpoint.path()) {
                let (owner, place) = *paths.entry((network, segments)).or_insert((name, &prefix.place));
                if owner != name {
                    let what = format!("the path `{}` on network `{network}`", prefix.value);
                    report_conflict(&what, name, owner, place, &prefix.place, problems);
                }
            }
            for ingress in &linked.ingress {
                for Spanned { value: url, place: here } in &ingress.urls {
                    let first = (name, ingress.name.as_str(), here);
                    let (owner, owning, place) = *urls.entry(url_key(network, url)).or_insert(first);
                    if owner != name {
                        report_conflict(
                            &format!("the URL {url} on network `{network}`"),
                            name,
                            owner,
                            place,
                            here,
                            problems,
                        );
                    } else if owning != ingress.name {
                        let message =
                            format!("the URL {url} already belongs to the ingress `{owning}` ({place})");
                        let key = format!("pipelines.{name}.mesh.ingress.{}", ingress.name);
                        problems.error(Some(here), key, message).help("give each ingress URLs of its own");
                    }
                }
            }
        }
    }
}

/// Returns the key under which equal URLs are found.
fn url_key<'a>(network: &'a str, url: &'a UrlPrefix) -> UrlKey<'a> {
    (network, url.scheme(), url.host(), url.port(), url.segments())
}

/// Adds the error that the pipeline `name` claims something of the pipeline `owner`.
fn report_conflict(
    what: &str,
    name: &str,
    owner: &str,
    there: &Place,
    here: &Place,
    problems: &mut Problems,
) {
    problems
        .error(
            Some(here),
            format!("pipelines.{name}"),
            format!("{what} already belongs to the pipeline `{owner}` ({there})"),
        )
        .help("change one of the two, or let the pipelines listen on different networks");
}
