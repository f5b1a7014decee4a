//! The JSON body of a management request, with limits on its size and time.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::http::respond::problem;

/// The maximum size of a request body.
const MAX_BYTES: usize = 64 * 1024;

/// The deadline for receiving a request body.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(10);

/// The body of a management request.
pub(super) trait RequestBody: Body<Data: Send, Error: Into<BoxError>> + Send {}

impl<B: Body<Data: Send, Error: Into<BoxError>> + Send> RequestBody for B {}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Reads the body of a request as JSON. An empty body is an empty object.
///
/// # Errors
/// The response 400, 408, 413 or 422. It quotes nothing of the body, which may hold a token.
pub(super) async fn read_json<T, B>(request: Request<B>) -> Result<T, Box<Response<Full<Bytes>>>>
where
    T: DeserializeOwned,
    B: RequestBody,
{
    read_json_of(request, MAX_BYTES).await
}

/// Reads the body of a request as JSON, with at most `most` bytes.
///
/// # Errors
/// As [`read_json`].
pub(super) async fn read_json_of<T, B>(
    request: Request<B>,
    most: usize,
) -> Result<T, Box<Response<Full<Bytes>>>>
where
    T: DeserializeOwned,
    B: RequestBody,
{
    let fail = |status, code, message: &str| Err(Box::new(problem(status, code, message)));
    let reading = Limited::new(request.into_body(), most).collect();
    let body = match tokio::time::timeout(DEADLINE, reading).await {
        Err(_) => {
            return fail(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the body did not arrive in time");
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("expected at most {} KiB", most / 1024);
            return fail(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", &message);
        }
        Ok(Err(_)) => return fail(StatusCode::BAD_REQUEST, "bad_request", "the body ended early"),
        Ok(Ok(body)) => body.to_bytes(),
    };
    let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
    serde_json::from_slice(text).or_else(|error| {
        // The text of the error may quote the body, so only its position and the name of a missing field are used.
        let place = format!("the body is not the expected JSON, at {}:{}", error.line(), error.column());
        let missing = error.to_string();
        let missing = missing.split(" at line").next().filter(|text| text.starts_with("missing field"));
        let message = missing.map_or(place.clone(), |field| format!("{place}: {field}"));
        fail(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", &message)
    })
}
