//! The log of requests.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::call::Call;
use super::credential::Credential;

/// The capacity of the log; older entries are dropped. More than any test sends.
const CAPACITY: usize = 10_000;

/// A request and its response.
#[derive(Clone, Debug, Serialize)]
pub struct LoggedRequest {
    /// The sequence number, counted from 0.
    pub number: u64,
    /// The time of arrival.
    pub at: Timestamp,
    /// The method.
    pub method: String,
    /// The path without `/api` prefixes; [`count`](super::ControlPlane::count) compares it.
    pub route: String,
    /// The path as sent.
    pub path: String,
    /// The query string.
    pub query: Option<String>,
    /// The kind of credential.
    pub credential: Credential,
    /// The gateway that owns the token.
    pub gateway_id: Option<String>,
    /// The `If-None-Match` header.
    pub if_none_match: Option<String>,
    /// The JSON body, with tokens and secrets redacted.
    pub body: Option<Value>,
    /// The status of the response; `None` until there is one.
    pub status: Option<u16>,
    /// The faults that matched.
    pub fault: Option<String>,
    /// The protocol violation, if any.
    pub violation: Option<String>,
}

/// The recorded requests.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: VecDeque<LoggedRequest>,
    next: u64,
}

impl Log {
    /// Records a request before it is handled, and returns its number.
    pub(super) fn begin(&mut self, call: &Call, credential: Credential, gateway_id: Option<&str>) -> u64 {
        let number = self.next;
        self.next += 1;
        if self.entries.len() == CAPACITY {
            self.entries.pop_front();
        }
        let mut body = serde_json::from_slice(&call.body).ok();
        body.as_mut().map(redact).unwrap_or_default();
        self.entries.push_back(LoggedRequest {
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

    pub(super) fn amend(&mut self, number: u64, amend: impl FnOnce(&mut LoggedRequest)) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) {
            amend(entry);
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &LoggedRequest> {
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
