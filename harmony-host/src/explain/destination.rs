//! The destination of the requests of a pipeline.

use serde::Serialize;

use crate::config::{Destination, LinkedPipeline};
use crate::difference::words;
use crate::explain::Asked;
use crate::explain::reference::ReferenceExplanation;
use crate::plan::{PlannedPipeline, Upstream};

/// The destination of the requests of a pipeline.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DestinationExplanation {
    /// `url`, `reference`, `echo`, `application`, `not_served` or `none`.
    pub(crate) kind: &'static str,
    pub(crate) in_words: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backend: Option<String>,
    /// The base URL in the configuration, without user information and query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<Box<ReferenceExplanation>>,
    /// The meshes of which a request gets a token, if its URL is one of theirs.
    pub(crate) adds_token_of: Vec<String>,
    /// The longest silence of the server, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_secs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_retries: Option<u32>,
}

impl Asked<'_> {
    pub(super) async fn destination(&self, planned: &PlannedPipeline) -> DestinationExplanation {
        let linked = planned.linked();
        let (kind, url, reference) = match linked.backend.as_ref().map(|backend| &backend.destination) {
            Some(Destination::Url(url)) => ("url", Some(words::shown_url(url)), None),
            Some(Destination::Resource(reference)) => {
                ("reference", None, Some(Box::new(self.reference(reference).await)))
            }
            Some(Destination::Echo) => ("echo", None, None),
            Some(Destination::Application) => ("application", None, None),
            Some(Destination::Unserved) => ("not_served", None, None),
            None => ("none", None, None),
        };
        let http = match planned.upstream() {
            Upstream::Http(http) => Some(http),
            Upstream::Echo | Upstream::Application | Upstream::None => None,
        };
        let meshes = http.into_iter().flat_map(|http| http.egress.iter().chain(&http.other_meshes));
        DestinationExplanation {
            kind,
            in_words: words::destination(linked),
            backend: backend_of(linked),
            url,
            reference,
            adds_token_of: meshes.map(|mesh| mesh.identity.name.clone()).collect(),
            timeout_secs: http.map(|http| http.timeout.as_secs()),
            max_retries: http.map(|http| http.max_retries),
        }
    }
}

fn backend_of(linked: &LinkedPipeline) -> Option<String> {
    linked.backend.as_ref().map(|backend| backend.backend.name.clone())
}
