//! The exchanges of the reference provider with its control plane.

use std::sync::Arc;
use std::time::Duration;

use provider_api::testkit::Exchange;
use provider_api::{Error, ErrorKind, Result, Secret};
use serde_json::Value;

use crate::control_plane::{ConnectionLost, Reply, Request};
use crate::inner::Inner;
use crate::mutation::Mutation;

/// The maximum size of a response in bytes.
const LIMIT: usize = 64 * 1024;

impl Inner {
    /// Makes one exchange with the credential of the gateway.
    pub(crate) async fn authenticated_call(
        self: &Arc<Self>,
        exchange: Exchange,
        operation: &'static str,
        body: Value,
    ) -> Result<Value> {
        let credential = self.credential()?;
        self.call(exchange, operation, Some(&credential.token), body).await
    }

    /// Makes one exchange and decodes the JSON response. Returns null for 304.
    pub(crate) async fn call(
        self: &Arc<Self>,
        exchange: Exchange,
        operation: &'static str,
        bearer: Option<&Secret>,
        body: Value,
    ) -> Result<Value> {
        let request =
            Request { exchange, operation, bearer: bearer.map(|token| token.expose().to_owned()), body };
        let shared = &self.factory.shared;
        match self.factory.mutation {
            Mutation::CachesFailure if *shared.failed.lock().unwrap() => {
                return Err(Error::unavailable("the last call failed"));
            }
            Mutation::BusyAfterDrop | Mutation::OneAtATime => {
                let mut busy = shared.busy.lock().unwrap();
                if *busy > 0 {
                    return Err(Error::unavailable("another call is running"));
                }
                *busy += 1;
            }
            Mutation::SecondBreaksFirst if *shared.busy.lock().unwrap() > 1 => {
                return Err(Error::unavailable("the pool belongs to another provider now"));
            }
            Mutation::OneEndlessTask if !std::mem::replace(&mut *shared.failed.lock().unwrap(), true) => {
                drop(tokio::spawn(std::future::pending::<()>()));
            }
            Mutation::LeavesTask => drop(tokio::spawn(std::future::pending::<()>())),
            _ => {}
        }
        let guard = OnDrop(self.is(Mutation::OneAtATime).then(|| Arc::clone(shared)));
        let result = match self.is(Mutation::Detached) {
            true => {
                let inner = Arc::clone(self);
                tokio::spawn(async move { inner.send_with_deadline(request).await }).await.unwrap()
            }
            false => self.send_with_deadline(request).await,
        };
        if self.is(Mutation::BusyAfterDrop) {
            *shared.busy.lock().unwrap() = 0;
        }
        drop(guard);
        *shared.failed.lock().unwrap() |= result.is_err();
        result
    }

    async fn send_with_deadline(&self, request: Request) -> Result<Value> {
        let times = if self.is(Mutation::Retries) { 3 } else { 1 };
        let mut result = Err(Error::unavailable("no attempt was made"));
        for _ in 0..times {
            let send = self.send(request.clone());
            let deadline = match self.factory.mutation {
                Mutation::NoDeadline | Mutation::NoLimit | Mutation::DeadlinePerRead => None,
                Mutation::DeadlineTooShort => Some(Duration::from_millis(10)),
                _ => Some(self.factory.deadline),
            };
            result = match deadline {
                None => send.await,
                Some(deadline) => tokio::time::timeout(deadline, send).await.unwrap_or_else(|_| {
                    Err(Error::unavailable(format!("{}: the deadline has passed", request.operation)))
                }),
            };
            if result.is_ok() {
                break;
            }
        }
        result
    }

    async fn send(&self, request: Request) -> Result<Value> {
        let (operation, exchange, bearer) = (request.operation, request.exchange, request.bearer.clone());
        let lost = |ConnectionLost| match self.factory.mutation {
            Mutation::EmptyErrors => Error::unavailable(""),
            Mutation::CauseInDisplay => Error::unavailable("the connection was lost: connection reset")
                .with_source("connection reset"),
            _ => Error::unavailable(format!("{operation}: the connection was lost"))
                .with_source("connection reset"),
        };
        let mut reply = match self.factory.control_plane.exchange(request, self.now()).await {
            Ok(reply) => reply,
            Err(ConnectionLost) if exchange == Exchange::Report && self.is(Mutation::LostResponseIsOk) => {
                return Ok(Value::Null);
            }
            Err(ConnectionLost) => return Err(lost(ConnectionLost)),
        };
        if let Some(url) = reply.location.as_deref().filter(|_| self.is(Mutation::FollowsRedirections)) {
            follow(url).await;
        }
        let body =
            self.read(&mut reply).await.map_err(|error| error.unwrap_or_else(|| lost(ConnectionLost)))?;
        let refused = reply.status == 401 || (reply.status == 503 && self.is(Mutation::UnavailableIsRefused));
        if let Some(token) = &bearer {
            if refused {
                self.record_response(token, true);
            } else if reply.status < 400 {
                self.record_response(token, false);
            }
        }
        match reply.status {
            200 => {}
            304 => return Ok(Value::Null),
            _ => return Err(self.refusal(operation, exchange, &reply, &body)),
        }
        if reply.content_type != "application/json" && !self.is(Mutation::AnyContentType) {
            return Err(Error::unavailable(format!("{operation}: the response is not JSON")));
        }
        let decoded = serde_json::from_slice::<Value>(&body);
        match self.factory.mutation {
            Mutation::PanicsOnGarbage => Ok(decoded.unwrap()),
            Mutation::GarbageIsInvalid => {
                decoded.map_err(|_| Error::invalid(format!("{operation}: the response is not JSON")))
            }
            Mutation::RejectsUnknownFields => match decoded {
                Ok(value) if value.to_string().contains("kit_new_field") => {
                    Err(Error::unavailable(format!("{operation}: the response has an unknown field")))
                }
                other => other.map_err(|_| Error::unavailable("the response is not JSON")),
            },
            _ => decoded
                .map_err(|_| Error::unavailable(format!("{operation}: the response cannot be decoded"))),
        }
    }

    /// Reads the body. An error of `None` is a lost connection.
    async fn read(&self, reply: &mut Reply) -> Result<Vec<u8>, Option<Error>> {
        let mut body = Vec::new();
        loop {
            // The deadline of the whole exchange is in `send_with_deadline`. Mutants without it still need
            // one per chunk.
            let chunk = tokio::time::timeout(self.factory.deadline, reply.chunk()).await;
            match chunk.unwrap_or(Err(ConnectionLost)) {
                Ok(Some(more)) => body.extend(more),
                Ok(None) => return Ok(body),
                Err(ConnectionLost) if self.is(Mutation::PartialBodyIsEnough) => {
                    return Ok(b"{\"changes\":[]}".to_vec());
                }
                Err(ConnectionLost) => return Err(None),
            }
            if body.len() > LIMIT && !self.is(Mutation::NoLimit) {
                return Err(Some(Error::unavailable("the response is too large")));
            }
        }
    }

    fn refusal(&self, operation: &str, exchange: Exchange, reply: &Reply, body: &[u8]) -> Error {
        let kind = self.kind(exchange, reply);
        let error = match self.is(Mutation::QuotesTheControlPlane) {
            true => Error::new(kind, format!("{operation}: {}", String::from_utf8_lossy(body))),
            false => Error::new(kind, format!("{operation}: the control plane returned {}", reply.status)),
        };
        match reply.retry_after.filter(|_| !self.is(Mutation::DropsRetryAfter)) {
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
            (500.., Keys) if self.is(Mutation::MissingKeysIsDenied) => ErrorKind::Denied,
            (403, Resolve) if self.is(Mutation::ForbiddenIsNotFound) => ErrorKind::NotFound,
            (404, Resolve) if self.is(Mutation::MissingIsUnavailable) => ErrorKind::Unavailable,
            (404, Fetch) if self.is(Mutation::UnknownChangeIsUnavailable) => ErrorKind::Unavailable,
            (404, Issue) if self.is(Mutation::NoMeshIsDenied) => ErrorKind::Denied,
            (403, Issue) if self.is(Mutation::ForbiddenDestinationIsUnavailable) => ErrorKind::Unavailable,
            (422, Publish) if self.is(Mutation::UnacceptableIsUnavailable) => ErrorKind::Unavailable,
            (401 | 403, Enroll) if self.is(Mutation::DeniedUserIsUnavailable) => ErrorKind::Unavailable,
            (500.., _) if self.is(Mutation::ServerErrorIsNotFound) => ErrorKind::NotFound,
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

/// Ends the busy state when the call ends or is dropped.
struct OnDrop(Option<Arc<crate::factory::Shared>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            *shared.busy.lock().unwrap() = 0;
        }
    }
}

/// Follows a redirect, as a provider must not.
async fn follow(url: &str) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (address, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    stream.read_u8().await.unwrap();
}
