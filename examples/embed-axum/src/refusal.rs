use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use provider_api::{Error, ErrorKind};

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) enum Refusal {
    BadRequest,
    Denied,
    BadGateway,
    /// What a provider said.
    Provider(Arc<Error>),
}

impl From<Arc<Error>> for Refusal {
    fn from(error: Arc<Error>) -> Self {
        Self::Provider(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = match self {
            Self::BadRequest => return StatusCode::BAD_REQUEST.into_response(),
            Self::Denied => return StatusCode::FORBIDDEN.into_response(),
            Self::BadGateway => return StatusCode::BAD_GATEWAY.into_response(),
            Self::Provider(error) => error,
        };
        let status = match error.kind() {
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Denied => StatusCode::FORBIDDEN,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Invalid => StatusCode::BAD_GATEWAY,
        };
        let mut response = (status, error.to_string()).into_response();
        if let Some(wait) = error.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, wait.as_secs().into());
        }
        response
    }
}
