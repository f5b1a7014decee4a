use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::call::Call;
use super::credential::Credential;

/// Far more than a test sends, and little enough to keep.
const KEPT: usize = 10_000;

/// A request and what was answered.
#[derive(Clone, Debug, Serialize)]
pub struct Logged {
    /// Counts from 0.
    pub number: u64,
    /// When it came.
    pub at: Timestamp,
    /// The method.
    pub method: String,
    /// The path without `/api` prefixes: what [`count`](super::ControlPlane::count) looks at.
    pub route: String,
    /// The path as it was sent.
    pub path: String,
    /// What followed the question mark.
    pub query: Option<String>,
    /// The kind of credential.
    pub credential: Credential,
    /// The gateway whose token it was.
    pub gateway_id: Option<String>,
    /// `If-None-Match`, when it was sent.
    pub if_none_match: Option<String>,
    /// The JSON that was sent, tokens and secrets taken out.
    pub body: Option<Value>,
    /// The status that was answered; nothing as long as there was none.
    pub status: Option<u16>,
    /// The fault that struck.
    pub fault: Option<String>,
    /// How the caller broke the protocol.
    pub violation: Option<String>,
}

/// The requests so far.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: VecDeque<Logged>,
    next: u64,
}

impl Log {
    /// Writes a request down before it is answered. Gives its number.
    pub(super) fn begin(&mut self, call: &Call, credential: Credential, gateway_id: Option<&str>) -> u64 {
        let number = self.next;
        self.next += 1;
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        let mut body = serde_json::from_slice(&call.body).ok();
        body.as_mut().map(redact).unwrap_or_default();
        self.entries.push_back(Logged {
            number,
            at: Timestamp::now(),
            method: call.method.to_string(),
            route: call.route().to_owned(),
            path: call.path.clone(),
            query: call.query.clone(),
            credential,
            gateway_id: gateway_id.map(str::to_owned),
            if_none_match: call.header("if-none-match").map(str::to_owned),
            body,
            status: None,
            fault: None,
            violation: None,
        });
        number
    }

    pub(super) fn amend(&mut self, number: u64, amend: impl FnOnce(&mut Logged)) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) {
            amend(entry);
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Logged> {
        self.entries.iter()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match key.contains("token") || key.contains("secret") {
                    true => *value = Value::from("[redacted]"),
                    false => redact(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(redact),
        _ => {}
    }
}
