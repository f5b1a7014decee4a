use std::time::{Duration, SystemTime};

use provider_api::{Error, ErrorKind, Secret};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::wire::Problem;

/// What a refusal of the control plane means depends on what was asked: a gateway that may not use one
/// resource is denied; a gateway whose own credential is refused cannot be served at all now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// For something of somebody's: 403 is about that thing.
    ForResource,
    /// For a way into a mesh: as for a resource, and a mesh that is switched off admits nobody.
    ForMeshToken,
    /// In the gateway's own name: 403 is about the credential.
    AsGateway,
    /// In the name of a person: 401 and 403 are about the person.
    AsPerson,
    /// For what is published: nobody is refused, so whatever goes wrong is no answer.
    Public,
}

/// The longest wait that is believed.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// How many characters of somebody else's message are repeated.
const SHOWN: usize = 300;

/// From how many characters on a run without a space may be a token.
const TOKEN_LIKE: usize = 40;

/// A refusal as it came.
pub(crate) struct Refusal<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// The one place where a status of the control plane becomes an error. `sent` is never in it.
pub(crate) fn error(
    what: &str,
    asking: Asking,
    refusal: &Refusal<'_>,
    sent: Option<&Secret>,
    now: SystemTime,
) -> Error {
    let status = refusal.status;
    let said = said(refusal.body, sent);
    let kind = kind(asking, status, &said);
    let gateways_own = matches!(asking, Asking::ForResource | Asking::ForMeshToken | Asking::AsGateway);
    let context = match status {
        StatusCode::UNAUTHORIZED if gateways_own => {
            format!(
                "{what}: the control plane refused this gateway's credential (401){said}; authorize it again"
            )
        }
        _ => format!("{what}: the control plane answered {status}{said}"),
    };
    let error = Error::new(kind, context);
    match retry_after(refusal.headers, now) {
        Some(wait) if kind == ErrorKind::Unavailable => error.with_retry_after(wait),
        _ => error,
    }
}

fn kind(asking: Asking, status: StatusCode, said: &str) -> ErrorKind {
    match (status.as_u16(), asking) {
        (404 | 410, _) => ErrorKind::NotFound,
        (_, Asking::Public) => ErrorKind::Unavailable,
        (401 | 403, Asking::AsPerson) => ErrorKind::Denied,
        (401, _) => ErrorKind::Unavailable,
        (403, Asking::ForResource | Asking::ForMeshToken) => ErrorKind::Denied,
        (403, Asking::AsGateway) => ErrorKind::Unavailable,
        (400, Asking::ForMeshToken) if said.to_ascii_lowercase().contains("disabled") => ErrorKind::Denied,
        (400 | 409 | 422, _) => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    }
}

/// The message in a JSON error; what a proxy in between sends as HTML is not repeated.
fn said(body: &[u8], sent: Option<&Secret>) -> String {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let text = match (problem.message, problem.error) {
        (Some(message), _) if !message.trim().is_empty() => message,
        (_, Some(error)) if !error.trim().is_empty() => error,
        _ => return String::new(),
    };
    format!(": {}", printable(&text, sent))
}

/// Somebody else's words, short, on one line, without markup and without anything that could be a token.
pub(crate) fn printable(text: &str, sent: Option<&Secret>) -> String {
    if text.trim_start().starts_with('<') {
        return "a page of markup".to_owned();
    }
    let text = match sent.map(Secret::expose).filter(|token| !token.is_empty()) {
        Some(token) => text.replace(token, "[redacted]"),
        None => text.to_owned(),
    };
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(16 * SHOWN).collect();
    let may_be_in_token = |c: char| c.is_ascii_alphanumeric() || "-_.|+/=~".contains(c);
    let mut shown = String::new();
    let mut run = String::new();
    for c in plain.chars().chain([' ']) {
        if may_be_in_token(c) {
            run.push(c);
            continue;
        }
        shown.push_str(if run.len() < TOKEN_LIKE { &run } else { "[redacted]" });
        run.clear();
        shown.push(c);
    }
    shown.trim().chars().take(SHOWN).collect()
}

/// Seconds, or a date (RFC 9110, section 10.2.3), which is measured against the date of the answer where it
/// has one: the two clocks may be apart.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let date = |name| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?.trim()).ok();
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => date(RETRY_AFTER)?.duration_since(date(DATE).unwrap_or(now)).unwrap_or_default(),
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(asking: Asking, status: u16, body: &str) -> ErrorKind {
        let status = StatusCode::from_u16(status).unwrap();
        let refusal = Refusal { status, headers: &HeaderMap::new(), body: body.as_bytes() };
        error("asking", asking, &refusal, None, SystemTime::UNIX_EPOCH).kind()
    }

    #[test]
    fn the_same_status_means_different_things_for_different_questions() {
        assert_eq!(of(Asking::ForResource, 403, ""), ErrorKind::Denied);
        assert_eq!(of(Asking::AsGateway, 403, ""), ErrorKind::Unavailable);
        assert_eq!(of(Asking::AsGateway, 401, ""), ErrorKind::Unavailable);
        assert_eq!(of(Asking::AsPerson, 401, ""), ErrorKind::Denied);
        assert_eq!(of(Asking::ForResource, 404, ""), ErrorKind::NotFound);
        assert_eq!(of(Asking::AsGateway, 422, ""), ErrorKind::Invalid);
        assert_eq!(of(Asking::Public, 403, ""), ErrorKind::Unavailable);
        for transient in [408, 425, 429, 500, 502, 503, 504, 302, 418] {
            assert_eq!(of(Asking::AsGateway, transient, "<html>"), ErrorKind::Unavailable, "{transient}");
        }
    }

    #[test]
    fn a_mesh_that_is_switched_off_denies_and_one_that_makes_no_sense_is_invalid() {
        assert_eq!(of(Asking::ForMeshToken, 400, r#"{"error":"Mesh is Disabled"}"#), ErrorKind::Denied);
        assert_eq!(of(Asking::ForMeshToken, 400, r#"{"error":"not a runbeam mesh"}"#), ErrorKind::Invalid);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
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
        assert_eq!(wait("99999999999", None), Some(LONGEST_WAIT));
        assert_eq!(wait("soon", None), None);
    }

    #[test]
    fn a_message_is_repeated_on_one_line_shortened_and_without_markup() {
        let said_of = |body: &str| said(body.as_bytes(), None);
        assert_eq!(said_of(r#"{"error":"x","message":"gateway\nunknown"}"#), ": gateway unknown");
        assert_eq!(said_of("<html>502 Bad Gateway</html>"), "");
        assert_eq!(said_of(r#"{"message":"<html>502</html>"}"#), ": a page of markup");
        assert!(said_of(&format!("{{\"message\":\"{}\"}}", "a ".repeat(5000))).len() < 320);
    }

    #[test]
    fn what_could_be_a_token_is_not_repeated() {
        let sent = Secret::new("short-one");
        assert_eq!(printable("token short-one is bad", Some(&sent)), "token [redacted] is bad");
        let sanctum = format!("token '12|{}' unknown", "a1B2".repeat(10));
        assert_eq!(printable(&sanctum, None), "token '[redacted]' unknown");
        assert_eq!(
            printable("no mesh 01J9ZQ3V4W5X6Y7Z8A9B0C1D2E", None),
            "no mesh 01J9ZQ3V4W5X6Y7Z8A9B0C1D2E"
        );
    }
}
