//! A control plane in memory. It answers as one over HTTP would, with everything that can go wrong there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use provider_api::testkit::{Exchange, Heard, SigningKey, Trouble};
use provider_api::{Attachment, Resource};
use serde_json::{Value, json};

pub(crate) mod carry_out;
mod reply;

pub(crate) use reply::{Body, Reply};

/// Keys that sign. Made once: that takes a moment.
pub(crate) static KEYS: LazyLock<[SigningKey; 2]> =
    LazyLock::new(|| ["key-1", "key-2"].map(|id| SigningKey::rsa(id).unwrap()));

/// One question.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) exchange: Exchange,
    pub(crate) what: &'static str,
    pub(crate) bearer: Option<String>,
    pub(crate) body: Value,
}

/// The connection broke off, or there was none.
#[derive(Debug)]
pub(crate) struct Broken;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) changes: Vec<Stored>,
    pub(crate) version: u64,
    pub(crate) resources: Vec<(Resource, bool)>,
    pub(crate) meshes: BTreeSet<String>,
    pub(crate) signing: usize,
    pub(crate) machines: BTreeSet<String>,
    pub(crate) issued: usize,
    pub(crate) documents: BTreeMap<String, String>,
    pub(crate) troubles: HashMap<Exchange, Trouble>,
    pub(crate) asked: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) document: String,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) heard: Vec<Heard>,
}

impl Stored {
    pub(crate) fn is_pending(&self) -> bool {
        self.heard.is_empty()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Cloud(Mutex<State>);

pub(crate) const USER: &str = "1|user-token-of-somebody-who-may";
pub(crate) const STRANGER: &str = "2|user-token-of-somebody-who-may-not";
pub(crate) const ORIGIN: &str = "https://cloud.kit.example";

impl Cloud {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Answers as the trouble of that exchange has it. Between asking and answering time goes by.
    pub(crate) async fn exchange(&self, ask: Ask, now: u64) -> Result<Reply, Broken> {
        let trouble = {
            let mut state = self.state();
            let trouble = state.troubles.get(&ask.exchange).cloned();
            state.asked += usize::from(trouble != Some(Trouble::Unreachable));
            trouble
        };
        tokio::task::yield_now().await;
        let right = || carry_out::carry_out(&mut self.state(), &ask, now);
        let reply = match trouble {
            None => right(),
            Some(Trouble::Status(status)) => Reply::refusal(status, "this was asked for"),
            Some(Trouble::Wait(status, wait)) => Reply::refusal(status, "later").after(wait),
            Some(Trouble::Quotes(status)) => {
                let credential = ask.bearer.clone().unwrap_or_default();
                Reply::refusal(status, &format!("nobody knows {credential}, says {}", ask.body))
            }
            Some(Trouble::Page(status)) => Reply::page(status),
            Some(Trouble::ContentType) => Reply { content_type: "text/plain", ..right() },
            Some(Trouble::Garbage) => Reply::garbage(),
            Some(Trouble::Shape) => Reply::json(200, &json!({ "unexpected": true })),
            Some(Trouble::Blank) => right().blank(),
            Some(Trouble::HugeNumbers) => right().with_huge_numbers(),
            Some(Trouble::MoreFields) => right().with_more_fields(),
            Some(Trouble::Silence) => std::future::pending().await,
            Some(Trouble::Cut | Trouble::Unreachable) => return Err(Broken),
            Some(Trouble::HalfBody) => right().half(),
            Some(Trouble::EndlessBody) => Reply { body: Body::Endless, ..right() },
            Some(Trouble::Drip) => Reply { body: Body::Drip, ..right() },
            Some(Trouble::Delay(time)) => {
                tokio::time::sleep(time).await;
                right()
            }
            Some(Trouble::Redirect(url)) => Reply { location: Some(url), ..Reply::refusal(302, "there") },
            Some(Trouble::LostAnswer) => {
                right();
                return Err(Broken);
            }
            Some(_) => return Err(Broken),
        };
        tokio::task::yield_now().await;
        Ok(reply)
    }
}

/// How long a chunk of an answer takes.
pub(crate) const CHUNK: Duration = Duration::from_millis(1);
