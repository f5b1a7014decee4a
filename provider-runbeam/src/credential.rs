//! A credential: the machine token, its checks and its JSON form.

use std::fmt;
use std::time::{Duration, SystemTime};

use provider_api::{Error, MachineCredential, Result, Secret};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The maximum length of a machine token in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The maximum length of an id of the control plane in bytes.
const MAX_ID_BYTES: usize = 128;

/// The lifetime of a machine token, as documented.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// The machine token of this gateway with its expiry, ids and abilities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) token: Secret,
    /// `None` for a bare token, whose expiry only the control plane knows.
    pub(crate) expires_at: Option<SystemTime>,
    /// `None` for a bare token.
    pub(crate) gateway_id: Option<String>,
    pub(crate) gateway_code: Option<String>,
    pub(crate) gateway_name: Option<String>,
    pub(crate) abilities: Vec<String>,
    /// The time at which it was issued or stored, where known.
    pub(crate) issued_at: Option<SystemTime>,
    /// The origin of the control plane that issued the token; `None` if other software stored it.
    pub(crate) control_plane: Option<String>,
}

/// The JSON form of a credential, in the store and in the environment. The names are those of the official SDK,
/// which ignores unknown names.
#[derive(Deserialize)]
struct StoredCredential {
    machine_token: Secret,
    expires_at: jiff::Timestamp,
    gateway_id: String,
    #[serde(default)]
    gateway_code: Option<String>,
    #[serde(default)]
    gateway_name: Option<String>,
    #[serde(default)]
    abilities: Option<Vec<String>>,
    #[serde(default)]
    issued_at: Option<jiff::Timestamp>,
    #[serde(default)]
    control_plane: Option<String>,
}

/// [`StoredCredential`] with borrowed fields, so that writing copies no secret.
#[derive(Serialize)]
struct StoredCredentialRef<'a> {
    machine_token: &'a str,
    expires_at: jiff::Timestamp,
    gateway_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_name: Option<&'a str>,
    abilities: &'a [String],
    issued_at: jiff::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    control_plane: Option<&'a str>,
}

impl Credential {
    /// Checks the token and the gateway id, which go into headers and URLs.
    ///
    /// # Errors
    /// Invalid with the reason, without the token.
    pub(crate) fn validated(self) -> Result<Self> {
        let token = self.token.expose();
        let fits = !token.is_empty() && token.len() <= MAX_TOKEN_BYTES;
        if !fits || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::invalid(
                "`machine_token` is blank, too long, or has characters other than visible ASCII",
            ));
        }
        match self.gateway_id.as_deref().is_none_or(is_id) {
            true => Ok(self),
            false => {
                Err(Error::invalid("`gateway_id` is not an id of 1 to 128 letters, digits, . : _ and -"))
            }
        }
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// Invalid with the reason and the position, without any part of the text.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self> {
        let stored: StoredCredential = serde_json::from_slice(json).map_err(|e| {
            let (line, column) = (e.line(), e.column());
            Error::invalid(format!(
                "at line {line}, column {column}: expected a JSON object with `machine_token`, `expires_at` (RFC 3339) and \
                 `gateway_id`"
            ))
        })?;
        let credential = Self {
            token: stored.machine_token,
            expires_at: Some(
                SystemTime::try_from(stored.expires_at)
                    .map_err(|_| Error::invalid("`expires_at` is out of range"))?,
            ),
            gateway_id: Some(stored.gateway_id),
            gateway_code: stored.gateway_code.filter(|code| !code.is_empty()),
            gateway_name: stored.gateway_name.filter(|name| !name.is_empty()),
            abilities: stored.abilities.unwrap_or_default(),
            issued_at: stored.issued_at.and_then(|at| SystemTime::try_from(at).ok()),
            control_plane: stored.control_plane.filter(|origin| !origin.is_empty()),
        };
        credential.validated()
    }

    /// Writes the JSON form.
    pub(crate) fn to_json(&self, now: SystemTime) -> Result<Zeroizing<Vec<u8>>> {
        let time = |time| {
            jiff::Timestamp::try_from(time)
                .map_err(|e| Error::invalid("a date of the credential is out of range").with_source(e))
        };
        let (Some(expires_at), Some(gateway_id)) = (self.expires_at, &self.gateway_id) else {
            return Err(Error::invalid("a bare token cannot be stored"));
        };
        let stored = StoredCredentialRef {
            machine_token: self.token.expose(),
            expires_at: time(expires_at)?,
            gateway_id,
            gateway_code: self.gateway_code.as_deref(),
            gateway_name: self.gateway_name.as_deref(),
            abilities: &self.abilities,
            issued_at: time(self.issued_at.map_or(now, |issued_at| issued_at.min(now)))?,
            control_plane: self.control_plane.as_deref(),
        };
        // The capacity is enough for any credential: a buffer that grows leaves unwiped copies of the token behind.
        let mut json = Zeroizing::new(Vec::with_capacity(2 * MAX_TOKEN_BYTES + 1024));
        serde_json::to_writer(&mut *json, &stored)
            .map_err(|e| Error::invalid("cannot serialize the credential").with_source(e))?;
        Ok(json)
    }

    pub(crate) fn is_expired(&self, now: SystemTime) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// Returns the credential with the time at which it was issued, estimated from its end if it is not known.
    pub(crate) fn with_estimated_issue(self) -> Self {
        let estimate = || self.expires_at?.checked_sub(LIFETIME);
        let issued_at = self.issued_at.or_else(estimate);
        Self { issued_at, ..self }
    }

    /// Reads a bare token, as `runbeam token:get --raw` prints it.
    ///
    /// # Errors
    /// Invalid when the text does not have the form of a bearer token (RFC 6750, section 2.1, and the `|` of Sanctum).
    pub(crate) fn from_bare(text: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~+/|".contains(c);
        let token = text.trim_end_matches('=');
        if token.is_empty() || !token.chars().all(allowed) {
            return Err(Error::invalid(format!(
                "it is neither a JSON object nor a bare token: {}",
                what_is_wrong(token, allowed)
            )));
        }
        let credential = Self {
            token: Secret::new(text),
            expires_at: None,
            gateway_id: None,
            gateway_code: None,
            gateway_name: None,
            abilities: Vec::new(),
            issued_at: None,
            control_plane: None,
        };
        credential.validated()
    }

    /// Returns whether the token has none of the forms of the control plane: a JWT, or the one of Sanctum. Another one
    /// may still be good.
    pub(crate) fn is_opaque(&self) -> bool {
        let token = self.token.expose();
        let is_jwt = token.starts_with("eyJ") && token.split('.').count() == 3;
        let is_sanctum = token
            .split_once('|')
            .is_some_and(|(id, rest)| !rest.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
        !is_jwt && !is_sanctum
    }

    /// Returns the credential with the code and name of `other` where it has none, if both are of one gateway. A token
    /// that is brought comes without the name, and often without the code.
    pub(crate) fn with_names_of(mut self, other: Option<&Self>) -> Self {
        if let Some(other) =
            other.filter(|other| self.gateway_id.is_some() && other.gateway_id == self.gateway_id)
        {
            self.gateway_code = self.gateway_code.or_else(|| other.gateway_code.clone());
            self.gateway_name = self.gateway_name.or_else(|| other.gateway_name.clone());
        }
        self
    }

    /// Returns the credential with `origin` as its control plane.
    pub(crate) fn bound_to(self, origin: &str) -> Self {
        Self { control_plane: Some(origin.to_owned()), ..self }
    }
}

impl From<MachineCredential> for Credential {
    fn from(given: MachineCredential) -> Self {
        Self {
            token: given.token,
            expires_at: Some(given.expires_at),
            gateway_id: Some(given.gateway_id),
            gateway_code: given.gateway_code,
            gateway_name: None,
            abilities: given.abilities,
            issued_at: None,
            control_plane: None,
        }
    }
}

/// Returns the first fault of a bare token in words, without any part of it.
fn what_is_wrong(token: &str, allowed: impl Fn(char) -> bool) -> &'static str {
    let prefixed =
        |prefix: &str| token.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    match token.chars().find(|c| !allowed(*c)) {
        None => "it has no characters but `=`",
        _ if prefixed("bearer ") => "leave out the word `Bearer`",
        Some('"' | '\'' | '`' | '\u{201c}' | '\u{201d}') => {
            "it has quotation marks, which are no part of a token"
        }
        Some('\n' | '\r') => "it has a line break within",
        Some(c) if c.is_whitespace() => "it has white space within",
        Some(c) if c.is_control() => "it has a control character",
        Some('=') => "it has `=` within; set the variable to the token alone",
        Some(c) if !c.is_ascii() => "it has a character that is not ASCII",
        Some(_) => "it has a character that no token has",
    }
}

/// A time in an error message, as RFC 3339 in whole seconds.
pub(crate) struct DisplayTime(pub(crate) SystemTime);

impl fmt::Display for DisplayTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::try_from(self.0) {
            Ok(time) => write!(f, "{time:.0}"),
            Err(_) => f.write_str("a date out of range"),
        }
    }
}

/// Reports whether `text` has the form of an id of the control plane and is safe as a URL segment (`.` and `..` are
/// not).
pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
    !text.is_empty()
        && text.len() <= MAX_ID_BYTES
        && text.bytes().all(allowed)
        && !text.bytes().all(|b| b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_round_trip() {
        let json = r#"{"machine_token":"canary","expires_at":"2030-01-02T03:04:05.123456+00:00","gateway_id":"01H",
                       "abilities":["harmony:read"],"issued_at":"2029-01-01T00:00:00Z"}"#;
        let read = Credential::from_json(json.as_bytes()).unwrap();
        let issued_at = read.issued_at.unwrap();
        let again = Credential::from_json(&read.to_json(issued_at).unwrap()).unwrap();
        assert_eq!(read, again);
        assert!(!format!("{read:?}").contains("canary"));
    }

    #[test]
    fn invalid_json_is_not_quoted() {
        for bad in [
            "canary",
            "\"canary\"",
            r#"{"machine_token":"canary"}"#,
            r#"{"machine_token":"","expires_at":"2030-01-01T00:00:00Z","gateway_id":"01H"}"#,
            r#"{"machine_token":"can ary","expires_at":"2030-01-01T00:00:00Z","gateway_id":"01H"}"#,
            r#"{"machine_token":"canary","expires_at":"2030-01-01T00:00:00Z","gateway_id":".."}"#,
            r#"{"machine_token":"canary","expires_at":"2030-01-01T00:00:00Z","gateway_id":"a/b"}"#,
            r#"{"machine_token":"canary","expires_at":"canary","gateway_id":"01H"}"#,
        ] {
            let error = Credential::from_json(bad.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{bad}: {error:?}");
        }
    }
}
