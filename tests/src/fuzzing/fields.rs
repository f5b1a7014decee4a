//! The fields that a gateway may pass on, for requests and responses.

use super::message::Message;

/// The fields of one connection, which no gateway passes on (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [&str; 6] =
    ["keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "upgrade"];

/// The fields that only the gateway itself may set for a backend, and those that servers read as such.
const OWN: [&str; 11] = [
    "forwarded",
    "proxy",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-harmony-probe",
    "x-real-ip",
];

/// The fields that change the meaning of a message, which its trailers must not have (RFC 9110, section 6.5.1).
const NOT_IN_TRAILERS: [&str; 12] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "set-cookie",
    "trailer",
    "transfer-encoding",
    "www-authenticate",
];

/// Checks a request at the backend with this address. `prefix` was taken off the path.
///
/// # Errors
/// The field that should not have passed.
pub(super) fn check_request(message: &Message, backend: &str, prefix: &str) -> Result<(), String> {
    let only = |name: &str| -> Result<String, String> {
        let all: Vec<&[u8]> = message.values(name).collect();
        match all[..] {
            [one] => Ok(String::from_utf8_lossy(one).into_owned()),
            _ => Err(format!("{} fields {name}", all.len())),
        }
    };
    let target = message.words()[1];
    require(target.starts_with(b"/"), || "the target is no path".to_owned())?;
    require(only("host")? == backend, || "the host is not that of the backend".to_owned())?;
    require(only("x-forwarded-proto")? == "http", || "a foreign x-forwarded-proto".to_owned())?;
    let last = |text: &str| text.rsplit(',').next().unwrap_or_default().trim().to_owned();
    let from = only("x-forwarded-for")?;
    require(last(&from) == "127.0.0.1", || format!("x-forwarded-for: {from}"))?;
    let host = only("x-forwarded-host")?;
    if let Ok(forwarded) = only("forwarded") {
        let element = elements(&forwarded).and_then(|all| all.last().cloned());
        let own = format!("for=127.0.0.1;host=\"{host}\";proto=http");
        require(element.as_deref() == Some(&own), || format!("forwarded: {forwarded}"))?;
    }
    let via: Vec<String> =
        message.values("via").map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    let own = via.last().is_some_and(|line| last(line).ends_with(" harmony"));
    require(own, || format!("via: {via:?}"))?;
    for value in message.values("x-forwarded-prefix") {
        require(value == prefix.as_bytes(), || "a foreign x-forwarded-prefix".to_owned())?;
    }
    for name in ["expect", "proxy", "x-forwarded-port", "x-forwarded-server", "x-harmony-probe"] {
        require(message.values(name).next().is_none(), || format!("the field {name}"))?;
    }
    require(message.values("x-real-ip").all(|value| value == b"127.0.0.1"), || "x-real-ip".to_owned())?;
    check_names(message)
}

/// Checks a response at the client.
///
/// # Errors
/// The field that should not have passed.
pub(super) fn check_response(message: &Message) -> Result<(), String> {
    require(message.status() != 101, || "a change of the protocol that was not requested".to_owned())?;
    check_names(message)
}

fn check_names(message: &Message) -> Result<(), String> {
    // A response 426 names the protocols that the server would speak; a request is passed on with its own connection option.
    let asked = message.values("connection").any(|value| value.eq_ignore_ascii_case(b"upgrade"));
    let is_request = message.status() == 0;
    let allowed = |name: &str| name == "upgrade" && (message.status() == 426 || (is_request && asked));
    for (name, value) in &message.headers {
        require(!HOP_BY_HOP.contains(&&**name) || allowed(name), || format!("the hop-by-hop field {name}"))?;
        let plain = name.replace('_', "-");
        require(plain == *name || !OWN.contains(&&*plain), || format!("{name} is read as {plain}"))?;
        let own_option =
            [&b"close"[..], b"keep-alive", b"upgrade"].iter().any(|o| value.eq_ignore_ascii_case(o));
        require(name != "connection" || own_option, || {
            format!("the connection option {}", String::from_utf8_lossy(value))
        })?;
    }
    for (name, _) in &message.trailers {
        let plain = name.replace('_', "-");
        let forbidden = [&HOP_BY_HOP[..], &OWN, &NOT_IN_TRAILERS].iter().any(|list| list.contains(&&*plain));
        require(!forbidden, || format!("the trailer {name}"))?;
    }
    Ok(())
}

/// Splits a list of elements, in which quoted strings may contain commas. `None` if a quoted string does not end.
fn elements(list: &str) -> Option<Vec<String>> {
    let (mut all, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for character in list.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        all.last_mut()?.push(character);
    }
    (!quoted).then(|| all.into_iter().map(|element| element.trim().to_owned()).collect())
}

fn require(holds: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem()) }
}
