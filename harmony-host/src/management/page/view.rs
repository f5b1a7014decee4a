//! The content of the page: one snapshot and one status, the history, the numbers, and what the reader searches for.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use url::form_urlencoded;

use crate::host::Control;
use crate::management::page::api::{self, Api};
use crate::management::page::samples::Numbers;
use crate::management::page::times::Now;
use crate::management::troubles::{RecentTrouble, troubles};
use crate::snapshot::Snapshot;
use crate::status::{Authorization, Status};
use crate::storage::digest::Digest;

/// The longest text that the reader can search for, in bytes.
const MAX_SEARCH: usize = 2048;

/// The generations on the page. `harmony-host history` shows the others.
const MAX_GENERATIONS: usize = 20;

/// The time before its end from which an authorization is shown as one that ends soon.
const SOON: Duration = Duration::from_secs(7 * 24 * 3600);

/// The data of the page.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) status: Arc<Status>,
    pub(super) now: Now,
    pub(super) uptime: Duration,
    /// The base path of the management API, without slashes at its ends.
    pub(super) base: &'a str,
    /// The text of the search field.
    pub(super) search: String,
    /// The numbers of the requests; `None` on a gateway that counts none.
    pub(super) numbers: Option<Numbers>,
    /// The troubles with requests in the last minutes.
    pub(super) troubles: Vec<RecentTrouble>,
    /// The answer of `GET history`; `None` on a gateway without a history.
    pub(super) history: Option<Value>,
    /// The answer of `GET explain` to the URL or path that the reader searches for.
    pub(super) explained: Option<Value>,
}

impl<'a> View<'a> {
    /// Creates the view for a request with the query string `query`.
    pub(super) fn new(
        snapshot: &'a Snapshot,
        control: &Control,
        base: &'a str,
        query: Option<&str>,
        numbers: Option<Numbers>,
    ) -> Self {
        let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let search = pairs.find(|(name, _)| name == "q").map_or(Cow::Borrowed(""), |(_, value)| value);
        let mut search = search.trim().to_owned();
        search.truncate(search.floor_char_boundary(MAX_SEARCH));
        if is_target(&search) {
            // A browser sends no fragment. One that was copied may hold a token.
            search.truncate(search.find('#').unwrap_or(search.len()));
        }
        Self {
            snapshot,
            status: control.status.read(),
            now: Now::of(snapshot.providers.now()),
            uptime: control.started.elapsed(),
            base,
            search,
            numbers,
            troubles: troubles(snapshot),
            history: None,
            explained: None,
        }
    }

    /// Reads the parts that cost more than the tag.
    pub(super) async fn read(&mut self, api: &dyn Api) {
        self.history = api::json(api, &format!("history?limit={MAX_GENERATIONS}")).await;
        if is_target(&self.search) {
            let query =
                form_urlencoded::Serializer::new(String::new()).append_pair("what", &self.search).finish();
            self.explained = api::json(api, &format!("explain?{query}")).await;
        }
    }

    /// Returns the path of an operation of the management API.
    pub(super) fn path(&self, operation: &str) -> String {
        format!("/{}/{operation}", self.base)
    }

    /// Returns a tag that changes with what the page shows, except the ages that the script counts itself. It reads the
    /// status and the troubles only, so that an open page costs next to nothing.
    pub(super) fn tag(&self) -> String {
        let now = self.snapshot.providers.now();
        let certificates = self.snapshot.certificates.iter().map(|end| end.state(now).as_str());
        let facts = json!([
            env!("CARGO_PKG_VERSION"),
            self.base,
            self.search,
            self.snapshot.generation,
            &*self.status,
            self.numbers,
            certificates.collect::<Vec<_>>(),
            self.troubles.iter().map(RecentTrouble::facts).collect::<Vec<_>>(),
            self.authorization_ends_soon(),
        ]);
        format!("\"{}\"", Digest::of(facts.to_string().as_bytes()))
    }

    /// Returns whether the authorization is valid and ends soon.
    pub(super) fn authorization_ends_soon(&self) -> bool {
        self.status.sync.as_ref().is_some_and(|sync| {
            sync.authorization == Authorization::Valid
                && sync.authorized_until.is_some_and(|until| self.now.is_within(until, SOON))
        })
    }

    /// Returns the primary provider as people call it, and the host of its control plane.
    pub(super) fn provider(&self) -> (String, Option<String>) {
        let primary = &self.snapshot.config.primary;
        let name = match primary.name.as_str() {
            "runbeam" => "Runbeam Cloud".to_owned(),
            other => other.to_owned(),
        };
        let host = primary.address.as_deref().and_then(|address| address.split_once("://"));
        (name, host.map(|(_, rest)| rest.split('/').next().unwrap_or(rest).to_owned()))
    }
}

/// Returns whether a text is a URL or a path.
fn is_target(text: &str) -> bool {
    ["/", "http://", "https://"].iter().any(|start| text.starts_with(start))
}
