use std::sync::Arc;
use std::time::Duration;

use provider_api::testkit::Exchange;
use provider_api::{Error, ErrorKind, Result, Secret};
use serde_json::Value;

use crate::cloud::{Ask, Broken, Reply};
use crate::mutation::Mutation;
use crate::reference::Reference;

/// The most bytes of an answer that are read.
const LIMIT: usize = 64 * 1024;

impl Reference {
    /// One exchange in the gateway's own name.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        exchange: Exchange,
        what: &'static str,
        body: Value,
    ) -> Result<Value> {
        let credential = self.credential()?;
        self.call(exchange, what, Some(&credential.token), body).await
    }

    /// One exchange with an answer in JSON; null when nothing has changed.
    pub(crate) async fn call(
        self: &Arc<Self>,
        exchange: Exchange,
        what: &'static str,
        bearer: Option<&Secret>,
        body: Value,
    ) -> Result<Value> {
        let ask = Ask { exchange, what, bearer: bearer.map(|token| token.expose().to_owned()), body };
        let shared = &self.factory.shared;
        match self.factory.mutation {
            Mutation::RemembersFailure if *shared.failed.lock().unwrap() => {
                return Err(Error::unavailable("it did not work the last time"));
            }
            Mutation::StaysBusy | Mutation::OneAtATime => {
                let mut busy = shared.busy.lock().unwrap();
                if *busy > 0 {
                    return Err(Error::unavailable("another call is under way"));
                }
                *busy += 1;
            }
            Mutation::SecondBreaksFirst if *shared.busy.lock().unwrap() > 1 => {
                return Err(Error::unavailable("the pool belongs to another provider now"));
            }
            Mutation::OneTaskForEver if !std::mem::replace(&mut *shared.failed.lock().unwrap(), true) => {
                drop(tokio::spawn(std::future::pending::<()>()));
            }
            Mutation::LeavesATask => drop(tokio::spawn(std::future::pending::<()>())),
            _ => {}
        }
        let guard = OnDrop(self.is(Mutation::OneAtATime).then(|| Arc::clone(shared)));
        let told = match self.is(Mutation::Detached) {
            true => {
                let this = Arc::clone(self);
                tokio::spawn(async move { this.bounded(ask).await }).await.unwrap()
            }
            false => self.bounded(ask).await,
        };
        if self.is(Mutation::StaysBusy) {
            *shared.busy.lock().unwrap() = 0;
        }
        drop(guard);
        *shared.failed.lock().unwrap() |= told.is_err();
        told
    }

    async fn bounded(&self, ask: Ask) -> Result<Value> {
        let times = if self.is(Mutation::Retries) { 3 } else { 1 };
        let mut told = Err(Error::unavailable("not asked"));
        for _ in 0..times {
            let talk = self.talk(ask.clone());
            let deadline = match self.factory.mutation {
                Mutation::NoDeadline | Mutation::NoLimit | Mutation::DeadlineForEachPiece => None,
                Mutation::Impatient => Some(Duration::from_millis(10)),
                _ => Some(self.factory.deadline),
            };
            told = match deadline {
                None => talk.await,
                Some(deadline) => tokio::time::timeout(deadline, talk)
                    .await
                    .unwrap_or_else(|_| Err(Error::unavailable(format!("{}: no answer in time", ask.what)))),
            };
            if told.is_ok() {
                break;
            }
        }
        told
    }

    async fn talk(&self, ask: Ask) -> Result<Value> {
        let (what, exchange, bearer) = (ask.what, ask.exchange, ask.bearer.clone());
        let broken = |Broken| match self.factory.mutation {
            Mutation::SaysNothing => Error::unavailable(""),
            Mutation::SaysTheCauseTwice => {
                Error::unavailable("it broke off: connection reset").with_source("connection reset")
            }
            _ => {
                Error::unavailable(format!("{what}: the exchange broke off")).with_source("connection reset")
            }
        };
        let mut reply = match self.factory.cloud.exchange(ask, self.now()).await {
            Ok(reply) => reply,
            Err(Broken) if exchange == Exchange::Report && self.is(Mutation::ALostAnswerIsFine) => {
                return Ok(Value::Null);
            }
            Err(Broken) => return Err(broken(Broken)),
        };
        if let Some(url) = reply.location.as_deref().filter(|_| self.is(Mutation::FollowsRedirections)) {
            follow(url).await;
        }
        let body = self.read(&mut reply).await.map_err(|error| error.unwrap_or_else(|| broken(Broken)))?;
        let refused = reply.status == 401 || (reply.status == 503 && self.is(Mutation::AwayIsRefused));
        if let Some(token) = &bearer {
            if refused {
                self.heard(token, true);
            } else if reply.status < 400 {
                self.heard(token, false);
            }
        }
        match reply.status {
            200 => {}
            304 => return Ok(Value::Null),
            _ => return Err(self.refusal(what, exchange, &reply, &body)),
        }
        if reply.content_type != "application/json" && !self.is(Mutation::AnyContentType) {
            return Err(Error::unavailable(format!("{what}: the answer is not JSON")));
        }
        let decoded = serde_json::from_slice::<Value>(&body);
        match self.factory.mutation {
            Mutation::PanicsOnGarbage => Ok(decoded.unwrap()),
            Mutation::GarbageIsInvalid => decoded.map_err(|_| Error::invalid(format!("{what}: no JSON"))),
            Mutation::NoNewFields => match decoded {
                Ok(value) if value.to_string().contains("kit_new_field") => {
                    Err(Error::unavailable(format!("{what}: an unknown field")))
                }
                other => other.map_err(|_| Error::unavailable("no JSON")),
            },
            _ => decoded.map_err(|_| Error::unavailable(format!("{what}: the answer cannot be understood"))),
        }
    }

    /// The body; an error that is `None` is a broken connection.
    async fn read(&self, reply: &mut Reply) -> Result<Vec<u8>, Option<Error>> {
        let mut body = Vec::new();
        loop {
            // The deadline of the whole exchange is around all of this; a mutant has one for each piece only.
            let chunk = tokio::time::timeout(self.factory.deadline, reply.chunk()).await;
            match chunk.unwrap_or(Err(Broken)) {
                Ok(Some(more)) => body.extend(more),
                Ok(None) => return Ok(body),
                Err(Broken) if self.is(Mutation::HalfIsEnough) => return Ok(b"{\"changes\":[]}".to_vec()),
                Err(Broken) => return Err(None),
            }
            if body.len() > LIMIT && !self.is(Mutation::NoLimit) {
                return Err(Some(Error::unavailable("the answer is too long")));
            }
        }
    }

    fn refusal(&self, what: &str, exchange: Exchange, reply: &Reply, body: &[u8]) -> Error {
        let kind = self.kind(exchange, reply);
        let error = match self.is(Mutation::QuotesTheControlPlane) {
            true => Error::new(kind, format!("{what}: {}", String::from_utf8_lossy(body))),
            false => Error::new(kind, format!("{what}: the control plane answered {}", reply.status)),
        };
        match reply.retry_after.filter(|_| !self.is(Mutation::RetryAfterIsLost)) {
            Some(wait) => error.with_retry_after(wait),
            None if self.is(Mutation::InventsRetryAfter) => error.with_retry_after(Duration::from_secs(60)),
            None => error,
        }
    }

    fn kind(&self, exchange: Exchange, reply: &Reply) -> ErrorKind {
        use Exchange::{Enroll, Fetch, Issue, Keys, Pending, Publish, Report, Resolve};
        let status = match reply.content_type {
            "application/json" => reply.status,
            _ => 502,
        };
        match (status, exchange) {
            (401, _) if self.is(Mutation::RefusedCredentialIsDenied) => ErrorKind::Denied,
            (500.., Keys) if self.is(Mutation::NoKeysIsDenied) => ErrorKind::Denied,
            (403, Resolve) if self.is(Mutation::ForbiddenIsNotFound) => ErrorKind::NotFound,
            (404, Resolve) if self.is(Mutation::MissingIsUnavailable) => ErrorKind::Unavailable,
            (404, Fetch) if self.is(Mutation::UnknownChangeIsUnavailable) => ErrorKind::Unavailable,
            (404, Issue) if self.is(Mutation::NoMeshIsDenied) => ErrorKind::Denied,
            (403, Issue) if self.is(Mutation::ForbiddenWayIsUnavailable) => ErrorKind::Unavailable,
            (422, Publish) if self.is(Mutation::UnacceptableIsUnavailable) => ErrorKind::Unavailable,
            (401 | 403, Enroll) if self.is(Mutation::StrangerIsUnavailable) => ErrorKind::Unavailable,
            (500.., _) if self.is(Mutation::BrokenIsNotFound) => ErrorKind::NotFound,
            (_, Keys | Pending) => ErrorKind::Unavailable,
            (401 | 403, Enroll) => ErrorKind::Denied,
            (401, _) => ErrorKind::Unavailable,
            (403, Fetch | Report) => ErrorKind::Unavailable,
            (403, Resolve | Issue | Publish) => ErrorKind::Denied,
            (404, Fetch | Report | Resolve | Issue | Publish) => ErrorKind::NotFound,
            (400 | 409 | 422, _) => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        }
    }
}

/// Frees the busy one when it goes.
struct OnDrop(Option<Arc<crate::factory::Shared>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            *shared.busy.lock().unwrap() = 0;
        }
    }
}

/// What a provider must not do: goes where it is sent.
async fn follow(url: &str) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (address, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    stream.read_u8().await.unwrap();
}
