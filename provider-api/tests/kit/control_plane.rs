//! A control plane in memory that simulates all troubles, without HTTP.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use provider_api::testkit::{Exchange, Heard, SigningKey, Trouble};
use provider_api::{Attachment, Resource};
use serde_json::{Value, json};

pub(crate) mod handle;
mod reply;

pub(crate) use reply::{Body, Reply};

/// The signing keys, before and after a rotation. Shared by all tests, since generating them is slow.
pub(crate) static KEYS: LazyLock<[SigningKey; 2]> =
    LazyLock::new(|| ["key-1", "key-2"].map(|id| SigningKey::rsa(id).unwrap()));

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) exchange: Exchange,
    pub(crate) operation: &'static str,
    pub(crate) bearer: Option<String>,
    pub(crate) body: Value,
}

/// The error of a lost connection.
#[derive(Debug)]
pub(crate) struct ConnectionLost;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) changes: Vec<StoredChange>,
    pub(crate) version: u64,
    pub(crate) resources: Vec<(Resource, bool)>,
    pub(crate) meshes: BTreeSet<String>,
    pub(crate) signing: usize,
    pub(crate) machines: BTreeSet<String>,
    pub(crate) issued: usize,
    pub(crate) documents: BTreeMap<String, String>,
    pub(crate) troubles: HashMap<Exchange, Trouble>,
    pub(crate) requests: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct StoredChange {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) document: String,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) reports: Vec<Heard>,
}

impl StoredChange {
    pub(crate) fn is_pending(&self) -> bool {
        self.reports.is_empty()
    }
}

#[derive(Debug, Default)]
pub(crate) struct ControlPlane(Mutex<State>);

pub(crate) const USER: &str = "1|user-token-with-permission";
pub(crate) const STRANGER: &str = "2|user-token-without-permission";
pub(crate) const ORIGIN: &str = "https://cloud.kit.example";

impl ControlPlane {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Responds as the trouble of the exchange demands. Yields before and after, so that checks can drop a
    /// call at these points.
    pub(crate) async fn exchange(&self, request: Request, now: u64) -> Result<Reply, ConnectionLost> {
        let trouble = {
            let mut state = self.state();
            let trouble = state.troubles.get(&request.exchange).cloned();
            state.requests += usize::from(trouble != Some(Trouble::Unreachable));
            trouble
        };
        tokio::task::yield_now().await;
        let correct = || handle::handle(&mut self.state(), &request, now);
        let reply = match trouble {
            None => correct(),
            Some(Trouble::Status(status)) => Reply::refusal(status, "simulated fault"),
            Some(Trouble::Wait(status, wait)) => Reply::refusal(status, "later").after(wait),
            Some(Trouble::Quotes(status)) => {
                let credential = request.bearer.clone().unwrap_or_default();
                Reply::refusal(status, &format!("unknown credential {credential}, request {}", request.body))
            }
            Some(Trouble::Page(status)) => Reply::page(status),
            Some(Trouble::ContentType) => Reply { content_type: "text/plain", ..correct() },
            Some(Trouble::Garbage) => Reply::garbage(),
            Some(Trouble::Shape) => Reply::json(200, &json!({ "unexpected": true })),
            Some(Trouble::Blank) => correct().blank(),
            Some(Trouble::HugeNumbers) => correct().with_huge_numbers(),
            Some(Trouble::MoreFields) => correct().with_more_fields(),
            Some(Trouble::Silence) => std::future::pending().await,
            Some(Trouble::Cut | Trouble::Unreachable) => return Err(ConnectionLost),
            Some(Trouble::HalfBody) => correct().half(),
            Some(Trouble::EndlessBody) => Reply { body: Body::Endless, ..correct() },
            Some(Trouble::Drip) => Reply { body: Body::Drip, ..correct() },
            Some(Trouble::Delay(time)) => {
                tokio::time::sleep(time).await;
                correct()
            }
            Some(Trouble::Redirect(url)) => Reply { location: Some(url), ..Reply::refusal(302, "there") },
            Some(Trouble::LostAnswer) => {
                correct();
                return Err(ConnectionLost);
            }
            Some(_) => return Err(ConnectionLost),
        };
        tokio::task::yield_now().await;
        Ok(reply)
    }
}

/// The delay before each chunk of a response.
pub(crate) const CHUNK: Duration = Duration::from_millis(1);
