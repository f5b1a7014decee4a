//! Error responses of the control plane, and the errors they become.

use std::time::{Duration, SystemTime};

use provider_api::{DisplayDuration, Error, ErrorKind, Secret};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
use url::Url;

use crate::address::Address;
use crate::call::Call;
use crate::purpose::Purpose;
use crate::wire::Problem;

/// The maximum accepted `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The maximum number of characters of a server's message in an error.
const MAX_SHOWN_CHARS: usize = 300;

/// The number of consecutive token characters from which text may be a token, and the longest word in text that is none.
/// Ids of the control plane (ULIDs) have 26.
const MIN_TOKEN_CHARS: usize = 40;
const MAX_WORD_CHARS: usize = 26;

/// A response with an error status.
pub(crate) struct ErrorResponse<'a> {
    pub(crate) url: &'a Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Maps an error status of the control plane to an error. Every response with such a status passes through here.
/// The error never contains the token of the request.
pub(crate) fn to_error(call: &Call<'_>, response: &ErrorResponse<'_>, now: SystemTime) -> Error {
    let Call { action, purpose, bearer, .. } = *call;
    let sent = bearer.token();
    let status = response.status;
    let message = server_message(response.body, sent);
    let kind = kind(purpose, status, message.as_deref().unwrap_or_default());
    let wait = retry_after(response.headers, now).filter(|_| kind == ErrorKind::Unavailable);
    let quoted = message.map(|message| format!(" (\"{message}\")")).unwrap_or_default();
    let meaning = meaning(call, response, wait);
    let address = Address(response.url);
    let error = Error::new(
        kind,
        format!("{action}: the control plane at {address} answered {status}{quoted}{meaning}"),
    );
    match wait {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

/// Returns the meaning of an error status, and the remedy, for the end of a message.
fn meaning(call: &Call<'_>, response: &ErrorResponse<'_>, wait: Option<Duration>) -> String {
    let meaning = match (response.status.as_u16(), call.purpose) {
        (401, Purpose::Public) => ", though the published keys need no token; check `api`",
        (401, Purpose::User) => ": it refused the token of this request; request a new one",
        (401, _) => {
            return format!(
                ": it refused {}; authorize the gateway again, for example with `runbeam harmony:authorize`",
                call.bearer.described()
            );
        }
        (403, Purpose::Public) => ", though the published keys need no token; check `api`",
        (403, Purpose::User) => {
            ": the token of this request does not permit it; use the token of a user with access"
        }
        (403, Purpose::Gateway) => {
            ": it denies this gateway its changes; check that the gateway is enabled there, or authorize it again"
        }
        (403, _) => ": this gateway has no access; grant it at the control plane",
        (404 | 410, Purpose::Public) => ": it publishes no keys there; check `api`",
        (404 | 410, Purpose::User) => {
            ": this is not the URL of a control plane, or it has no such gateway; check `api`"
        }
        (404 | 410, Purpose::Gateway) => {
            ": it does not have this gateway or this change; check `api`, and authorize the gateway again if it was \
             deleted there"
        }
        (404 | 410, _) => ": it has no such resource",
        (413, _) => ": the request is too large for it",
        (300..=399, _) => return redirect(response),
        (429, _) => ": it limits the number of requests",
        (408 | 425 | 500..=599, _) => ": it is overloaded, in maintenance or out of order",
        _ => "",
    };
    match wait {
        Some(wait) => format!("{meaning}; it asks for a pause of {}", DisplayDuration(wait)),
        None => meaning.to_owned(),
    }
}

fn redirect(response: &ErrorResponse<'_>) -> String {
    let target = response.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let target = target.and_then(|target| response.url.join(target).ok());
    match target {
        Some(target) => format!(
            ": it redirects to {}; redirects are not followed; if the control plane has moved, change `api`",
            Address(&target)
        ),
        None => ": it redirects; redirects are not followed; check `api`".to_owned(),
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

/// Returns the message of a JSON error. The HTML page of a proxy is not quoted.
fn server_message(body: &[u8], sent: Option<&Secret>) -> Option<String> {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let text = [problem.message, problem.error].into_iter().flatten().find(|text| !text.trim().is_empty())?;
    let shown = sanitize(&text, sent);
    Some(shown.trim_end_matches(['.', ' ']).to_owned()).filter(|shown| !shown.is_empty())
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
        text.chars().map(|c| if is_unsafe(c) { ' ' } else { c }).take(16 * MAX_SHOWN_CHARS).collect();
    let mut shown = String::new();
    let mut run = String::new();
    for c in plain.chars().chain([' ']) {
        if c.is_ascii_alphanumeric() || "-_.|+/=~:".contains(c) {
            run.push(c);
            continue;
        }
        shown.push_str(if is_readable(&run) { &run } else { "[redacted]" });
        run.clear();
        shown.push(c);
    }
    shown.trim().chars().take(MAX_SHOWN_CHARS).collect()
}

/// Returns whether a run of token characters is text that people read, such as a reference, a path or an id, and not a
/// token. A token is long, and mixes letters of both cases with digits.
fn is_readable(run: &str) -> bool {
    let is_word = |part: &str| {
        let rest = part.get(1..).unwrap_or_default();
        part.len() <= MAX_WORD_CHARS
            && (!rest.bytes().any(|b| b.is_ascii_uppercase())
                || !part.bytes().any(|b| b.is_ascii_lowercase()))
    };
    run.len() < MIN_TOKEN_CHARS || run.split(|c: char| !c.is_ascii_alphanumeric()).all(is_word)
}

/// Returns whether a character commands a terminal, breaks a line, reorders the text around it, or ends a quotation.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '"' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
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
    use reqwest::header::HeaderName;

    use super::*;
    use crate::call::Bearer;

    fn kind_of(purpose: Purpose, status: u16, body: &str) -> ErrorKind {
        let status = StatusCode::from_u16(status).unwrap();
        error(purpose, status, &HeaderMap::new(), body).kind()
    }

    fn error(purpose: Purpose, status: StatusCode, headers: &HeaderMap, body: &str) -> Error {
        let url = Url::parse("https://u:p@cloud.example/api/harmony/changes?token=x").unwrap();
        let response = ErrorResponse { url: &url, status, headers, body: body.as_bytes() };
        let call = Call { action: "testing", purpose, bearer: Bearer::Anonymous, document: false };
        to_error(&call, &response, SystemTime::UNIX_EPOCH)
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
        let message = |body: &str| server_message(body.as_bytes(), None).unwrap_or_default();
        assert_eq!(message(r#"{"error":"x","message":"gateway\nunknown"}"#), "gateway unknown");
        assert_eq!(message(r#"{"message":"Unauthenticated."}"#), "Unauthenticated");
        assert_eq!(message("{\"message\":\"a\u{202e}b\\u001b[2J\"}"), "a b [2J");
        assert_eq!(message("<html>502 Bad Gateway</html>"), "");
        assert_eq!(message(r#"{"message":"<html>502</html>"}"#), "a page of markup");
        assert!(message(&format!("{{\"message\":\"{}\"}}", "a ".repeat(5000))).len() < 320);
    }

    /// Every message names the address, the answer and the remedy, and nothing of the query or the user.
    #[test]
    fn messages_name_address_answer_and_remedy() {
        let of = |purpose, status: u16, header: Option<(HeaderName, &str)>, body: &str| {
            let mut headers = HeaderMap::new();
            header.map(|(name, value)| headers.insert(name, value.parse().unwrap()));
            error(purpose, StatusCode::from_u16(status).unwrap(), &headers, body).to_string()
        };
        let refused = of(Purpose::Gateway, 401, None, r#"{"message":"Unauthenticated."}"#);
        assert_eq!(
            refused,
            "testing: the control plane at https://cloud.example/api/harmony/changes answered 401 Unauthorized \
             (\"Unauthenticated\"): it refused the token of this request; authorize the gateway again, for example \
             with `runbeam harmony:authorize`"
        );
        let all = [Purpose::Resource, Purpose::MeshToken, Purpose::Gateway, Purpose::User, Purpose::Public];
        for (purpose, status) in
            all.into_iter().flat_map(|p| [301, 401, 403, 404, 413, 429, 503].map(|s| (p, s)))
        {
            let message = of(purpose, status, None, "<html>");
            let start = format!(
                "testing: the control plane at https://cloud.example/api/harmony/changes answered {status} "
            );
            assert!(message.starts_with(&start) && message.len() > start.len() + 30, "{message}");
        }
        let waits = of(Purpose::Gateway, 429, Some((RETRY_AFTER, "30")), "");
        assert!(waits.ends_with("limits the number of requests; it asks for a pause of 30 s"), "{waits}");
        let moved = of(Purpose::Gateway, 302, Some((LOCATION, "https://new.example/login?next=secret")), "");
        assert!(
            moved.contains("redirects to https://new.example/login;") && !moved.contains("secret"),
            "{moved}"
        );
    }

    #[test]
    fn tokens_are_redacted() {
        let sent = Secret::new("short-one");
        assert_eq!(sanitize("token short-one is bad", Some(&sent)), "token [redacted] is bad");
        let sanctum = format!("token '12|{}' unknown", "a1B2".repeat(10));
        assert_eq!(sanitize(&sanctum, None), "token '[redacted]' unknown");
        for readable in [
            "there is no runbeam.acme-hospital.ingress.name.fhir-imaging-eu-central",
            "there is no /api/harmony/resources/01J9ZQ3V4W5X6Y7Z8A9B0C1D2E/versions",
            "see https://docs.example.com/harmony/gateways/authorization.html",
            "mesh 6f9619ff-8b86-d011-b42d-00c04fc964ff-of-imaging is off",
        ] {
            assert_eq!(sanitize(readable, None), readable);
        }
        for token in [
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
            "0123456789abcdef0123456789abcdef0123456789abcdef",
            "7|AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGhIjKlMn",
            "sk-live-aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5",
        ] {
            assert_eq!(sanitize(token, None), "[redacted]", "{token}");
        }
        assert_eq!(
            sanitize("no mesh 01J9ZQ3V4W5X6Y7Z8A9B0C1D2E", None),
            "no mesh 01J9ZQ3V4W5X6Y7Z8A9B0C1D2E"
        );
    }
}
