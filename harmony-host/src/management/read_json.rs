//! Reading JSON from a request.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::http::respond::problem;

/// The most bytes of a request to the management API.
const MAX_BYTES: usize = 64 * 1024;

/// How long a request may take to arrive.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

/// Reads the body of a request as JSON; an empty one is an empty object.
///
/// # Errors
/// The answer that says what is wrong: 408, 413 or 422. It repeats nothing of the body.
pub(super) async fn read_json<T, B>(request: Request<B>) -> Result<T, Box<Response<Full<Bytes>>>>
where
    T: DeserializeOwned,
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let refuse = |status, code, message: &str| Err(Box::new(problem(status, code, message)));
    let reading = Limited::new(request.into_body(), MAX_BYTES).collect();
    let body = match tokio::time::timeout(LIMIT, reading).await {
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the body stopped coming"),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "expected at most 64 KiB");
        }
        Ok(Err(_)) => return refuse(StatusCode::BAD_REQUEST, "bad_request", "the body broke off"),
        Ok(Ok(body)) => body.to_bytes(),
    };
    let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
    serde_json::from_slice(text).or_else(|error| {
        // The error may quote the body, which may be a token; where it is wrong and of which kind is enough.
        let place = format!("the body cannot be understood, at {}:{}", error.line(), error.column());
        let missing = error.to_string();
        let missing = missing.split(" at line").next().filter(|text| text.starts_with("missing field"));
        let message = missing.map_or(place.clone(), |field| format!("{place}: {field}"));
        refuse(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", &message)
    })
}
