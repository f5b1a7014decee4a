//! Error responses of the control plane, and the errors they become.

use std::time::{Duration, SystemTime};

use provider_api::{Error, ErrorKind, Secret};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::purpose::Purpose;
use crate::wire::Problem;

/// The maximum accepted `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The maximum number of characters of a server's message in an error.
const MAX_SHOWN_CHARS: usize = 300;

/// The number of consecutive token characters from which text is redacted. Ids of the control plane (ULIDs) have 26.
const MIN_TOKEN_CHARS: usize = 40;

/// A response with an error status.
pub(crate) struct ErrorResponse<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Maps an error status of the control plane to an error. Every response with such a status passes through here.
/// The error never contains `sent`, the token of the request.
pub(crate) fn to_error(
    action: &str,
    purpose: Purpose,
    response: &ErrorResponse<'_>,
    sent: Option<&Secret>,
    now: SystemTime,
) -> Error {
    let status = response.status;
    let message = server_message(response.body, sent);
    let kind = kind(purpose, status, &message);
    let with_machine_token = matches!(purpose, Purpose::Resource | Purpose::MeshToken | Purpose::Gateway);
    let context = match status {
        StatusCode::UNAUTHORIZED if with_machine_token => {
            format!(
                "{action}: the control plane refused this gateway's credential (401){message}; authorize it again"
            )
        }
        _ => format!("{action}: the control plane answered {status}{message}"),
    };
    let error = Error::new(kind, context);
    match retry_after(response.headers, now) {
        Some(wait) if kind == ErrorKind::Unavailable => error.with_retry_after(wait),
        _ => error,
    }
}

fn kind(purpose: Purpose, status: StatusCode, message: &str) -> ErrorKind {
    match (status.as_u16(), purpose) {
        (404 | 410, _) => ErrorKind::NotFound,
        (_, Purpose::Public) => ErrorKind::Unavailable,
        (401 | 403, Purpose::User) => ErrorKind::Denied,
        (401, _) => ErrorKind::Unavailable,
        (403, Purpose::Resource | Purpose::MeshToken) => ErrorKind::Denied,
        (403, Purpose::Gateway) => ErrorKind::Unavailable,
        (400, Purpose::MeshToken) if message.to_ascii_lowercase().contains("disabled") => ErrorKind::Denied,
        (400 | 405 | 406 | 409 | 413 | 414 | 415 | 422 | 431 | 451, _) => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    }
}

/// Returns the message of a JSON error after ": ", or nothing. The HTML page of a proxy is not quoted.
fn server_message(body: &[u8], sent: Option<&Secret>) -> String {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let text = match (problem.message, problem.error) {
        (Some(message), _) if !message.trim().is_empty() => message,
        (_, Some(error)) if !error.trim().is_empty() => error,
        _ => return String::new(),
    };
    format!(": {}", sanitize(&text, sent))
}

/// Makes a server's message safe for a log: one short line without markup, without `sent` and without any text that
/// may be a token. A server may echo the token of the request, or another one.
fn sanitize(text: &str, sent: Option<&Secret>) -> String {
    if text.trim_start().starts_with('<') {
        return "a page of markup".to_owned();
    }
    let text = match sent.map(Secret::expose).filter(|token| !token.is_empty()) {
        Some(token) => text.replace(token, "[redacted]"),
        None => text.to_owned(),
    };
    let plain: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(16 * MAX_SHOWN_CHARS).collect();
    let is_token_char = |c: char| c.is_ascii_alphanumeric() || "-_.|+/=~".contains(c);
    let mut shown = String::new();
    let mut run = String::new();
    for c in plain.chars().chain([' ']) {
        if is_token_char(c) {
            run.push(c);
            continue;
        }
        shown.push_str(if run.len() < MIN_TOKEN_CHARS { &run } else { "[redacted]" });
        run.clear();
        shown.push(c);
    }
    shown.trim().chars().take(MAX_SHOWN_CHARS).collect()
}

/// Returns the wait of `Retry-After`, in seconds or as a date (RFC 9110, section 10.2.3). A date is compared with the
/// `Date` of the response if there is one, since the clocks of the two machines may differ.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let date = |name| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?.trim()).ok();
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => date(RETRY_AFTER)?.duration_since(date(DATE).unwrap_or(now)).unwrap_or_default(),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(purpose: Purpose, status: u16, body: &str) -> ErrorKind {
        let status = StatusCode::from_u16(status).unwrap();
        let response = ErrorResponse { status, headers: &HeaderMap::new(), body: body.as_bytes() };
        to_error("testing", purpose, &response, None, SystemTime::UNIX_EPOCH).kind()
    }

    #[test]
    fn kind_depends_on_status_and_purpose() {
        assert_eq!(kind_of(Purpose::Resource, 403, ""), ErrorKind::Denied);
        assert_eq!(kind_of(Purpose::Gateway, 403, ""), ErrorKind::Unavailable);
        assert_eq!(kind_of(Purpose::Gateway, 401, ""), ErrorKind::Unavailable);
        assert_eq!(kind_of(Purpose::User, 401, ""), ErrorKind::Denied);
        assert_eq!(kind_of(Purpose::Resource, 404, ""), ErrorKind::NotFound);
        assert_eq!(kind_of(Purpose::Gateway, 422, ""), ErrorKind::Invalid);
        assert_eq!(kind_of(Purpose::Public, 403, ""), ErrorKind::Unavailable);
        for transient in [408, 425, 429, 500, 502, 503, 504, 302, 418] {
            assert_eq!(kind_of(Purpose::Gateway, transient, "<html>"), ErrorKind::Unavailable, "{transient}");
        }
    }

    #[test]
    fn disabled_mesh_is_denied() {
        assert_eq!(kind_of(Purpose::MeshToken, 400, r#"{"error":"Mesh is Disabled"}"#), ErrorKind::Denied);
        assert_eq!(kind_of(Purpose::MeshToken, 400, r#"{"error":"not a runbeam mesh"}"#), ErrorKind::Invalid);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let wait = |text: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            date.map(|date| headers.insert(DATE, date.parse().unwrap()));
            retry_after(&headers, now)
        };
        assert_eq!(wait("120", None), Some(Duration::from_secs(120)));
        assert_eq!(wait("Sun, 09 Sep 2001 01:48:40 GMT", None), Some(Duration::from_secs(120)));
        let their_date = Some("Sun, 09 Sep 2001 01:48:30 GMT");
        assert_eq!(wait("Sun, 09 Sep 2001 01:48:40 GMT", their_date), Some(Duration::from_secs(10)));
        assert_eq!(wait("Sun, 09 Sep 1990 01:48:40 GMT", None), Some(Duration::ZERO));
        assert_eq!(wait("99999999999", None), Some(MAX_RETRY_AFTER));
        assert_eq!(wait("soon", None), None);
    }

    #[test]
    fn server_message_is_one_short_line() {
        let message = |body: &str| server_message(body.as_bytes(), None);
        assert_eq!(message(r#"{"error":"x","message":"gateway\nunknown"}"#), ": gateway unknown");
        assert_eq!(message("<html>502 Bad Gateway</html>"), "");
        assert_eq!(message(r#"{"message":"<html>502</html>"}"#), ": a page of markup");
        assert!(message(&format!("{{\"message\":\"{}\"}}", "a ".repeat(5000))).len() < 320);
    }

    #[test]
    fn tokens_are_redacted() {
        let sent = Secret::new("short-one");
        assert_eq!(sanitize("token short-one is bad", Some(&sent)), "token [redacted] is bad");
        let sanctum = format!("token '12|{}' unknown", "a1B2".repeat(10));
        assert_eq!(sanitize(&sanctum, None), "token '[redacted]' unknown");
        assert_eq!(
            sanitize("no mesh 01J9ZQ3V4W5X6Y7Z8A9B0C1D2E", None),
            "no mesh 01J9ZQ3V4W5X6Y7Z8A9B0C1D2E"
        );
    }
}
