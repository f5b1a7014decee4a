//! A strict parser of HTTP/1.1 messages (RFC 9112), independent of the one in the gateway.

/// The kind of message, which decides how it is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    /// A response to a request with the method HEAD, or to another one.
    Response {
        to_head: bool,
    },
}

/// A complete message, or the head of one that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The first line, without CRLF.
    pub(super) start: Vec<u8>,
    /// The header fields. Names are in lower case.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Vec<(String, Vec<u8>)>,
    /// The number of bytes of the message; `None` if it has not ended.
    pub(super) length: Option<usize>,
    /// Set if only the end of the connection ends the body.
    pub(super) until_close: bool,
}

impl Message {
    /// The words of the first line.
    pub(super) fn words(&self) -> Vec<&[u8]> {
        self.start.splitn(3, |byte| *byte == b' ').collect()
    }

    /// The values of a header field, in order.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(other, _)| other == name).map(|(_, value)| &value[..])
    }

    /// The status of a response; 0 if it is none.
    pub(super) fn status(&self) -> u16 {
        self.words().get(1).and_then(|word| std::str::from_utf8(word).ok()?.parse().ok()).unwrap_or(0)
    }
}

/// The end of a body by its framing.
#[derive(Clone, Copy)]
enum Framing {
    Empty,
    Length(usize),
    Chunked,
    UntilClose,
}

/// Parses the message at the start of `bytes`. `None` if its head has not arrived completely.
///
/// # Errors
/// The violation of RFC 9112.
pub(super) fn parse(bytes: &[u8], kind: Kind) -> Result<Option<Message>, String> {
    let Some((start, mut at)) = line(bytes, 0)? else { return Ok(None) };
    let start = start.to_vec();
    check_start(&start, kind)?;
    let Some((headers, after)) = fields(bytes, at)? else { return Ok(None) };
    at = after;
    let mut message =
        Message { start, headers, body: Vec::new(), trailers: Vec::new(), length: None, until_close: false };
    match framing(&message, kind)? {
        Framing::Empty => message.length = Some(at),
        Framing::Length(length) => {
            let rest = bytes.get(at..).unwrap_or_default();
            message.body = rest[..rest.len().min(length)].to_vec();
            message.length = (rest.len() >= length).then_some(at + length);
        }
        Framing::UntilClose => {
            message.body = bytes.get(at..).unwrap_or_default().to_vec();
            message.until_close = true;
        }
        Framing::Chunked => chunks(bytes, at, &mut message)?,
    }
    Ok(Some(message))
}

/// Reads the chunks from `at` on, and the trailer section.
fn chunks(bytes: &[u8], mut at: usize, message: &mut Message) -> Result<(), String> {
    loop {
        let Some((size, after)) = line(bytes, at)? else { return Ok(()) };
        let text = std::str::from_utf8(size).unwrap_or("?");
        let hexadecimal = !text.is_empty() && text.len() <= 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let size = usize::from_str_radix(text, 16).ok().filter(|_| hexadecimal);
        let size = size.ok_or_else(|| format!("the chunk size is {text:?}"))?;
        at = after;
        if size == 0 {
            if let Some((trailers, after)) = fields(bytes, at)? {
                (message.trailers, message.length) = (trailers, Some(after));
            }
            return Ok(());
        }
        let rest = bytes.get(at..).unwrap_or_default();
        message.body.extend_from_slice(&rest[..rest.len().min(size)]);
        match rest.get(size..) {
            None | Some([] | [b'\r']) => return Ok(()),
            Some([b'\r', b'\n', ..]) => at += size + 2,
            Some(_) => return Err("a chunk does not end with CRLF".to_owned()),
        }
    }
}

/// Returns the line at `at` without its CRLF, and the position after it.
fn line(bytes: &[u8], at: usize) -> Result<Option<(&[u8], usize)>, String> {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n' | 0)) else { return Ok(None) };
    match rest.get(end..end + 2) {
        None if rest[end] == b'\r' => Ok(None),
        Some(b"\r\n") => Ok(Some((&rest[..end], at + end + 2))),
        _ => Err(format!("a line contains the byte {:#04x}", rest[end])),
    }
}

type Fields = Vec<(String, Vec<u8>)>;

/// Reads fields until the empty line, and returns the position after it.
fn fields(bytes: &[u8], mut at: usize) -> Result<Option<(Fields, usize)>, String> {
    let mut all = Vec::new();
    loop {
        let Some((field, after)) = line(bytes, at)? else { return Ok(None) };
        at = after;
        if field.is_empty() {
            return Ok(Some((all, at)));
        }
        let shown = || String::from_utf8_lossy(field).into_owned();
        let colon = field.iter().position(|byte| *byte == b':');
        let (name, value) =
            field.split_at(colon.ok_or_else(|| format!("a field has no colon: {}", shown()))?);
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err(format!("the name of a field is not a token: {}", shown()));
        }
        let value = value[1..].trim_ascii();
        if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(format!("a field contains a control character: {:?}", shown()));
        }
        all.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()));
    }
}

pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn check_start(start: &[u8], kind: Kind) -> Result<(), String> {
    let words: Vec<&[u8]> = start.splitn(3, |byte| *byte == b' ').collect();
    let valid = match (&words[..], kind) {
        ([method, target, version], Kind::Request) => {
            let sent = |byte: &u8| byte.is_ascii_graphic() && !b"\"<>#".contains(byte);
            let known = version == b"HTTP/1.1" || version == b"HTTP/1.0";
            let valid = !method.is_empty() && !target.is_empty() && method.iter().all(|byte| is_token(*byte));
            valid && target.iter().all(sent) && known
        }
        ([version, status, rest @ ..], Kind::Response { .. }) => {
            let printable = |byte: &u8| !byte.is_ascii_control() || *byte == b'\t';
            let known = version == b"HTTP/1.1" || version == b"HTTP/1.0";
            let number = status.len() == 3 && status.iter().all(u8::is_ascii_digit) && status[0] != b'0';
            known && number && rest.iter().all(|reason| reason.iter().all(printable))
        }
        _ => false,
    };
    valid.then_some(()).ok_or_else(|| format!("the first line is {:?}", String::from_utf8_lossy(start)))
}

/// Returns the framing of the body (RFC 9112, section 6.3).
fn framing(message: &Message, kind: Kind) -> Result<Framing, String> {
    let lengths: Vec<&[u8]> = message.values("content-length").collect();
    let codings: Vec<&[u8]> = message.values("transfer-encoding").collect();
    let length = match lengths[..] {
        [] => None,
        [one] if !one.is_empty() && one.len() < 16 && one.iter().all(u8::is_ascii_digit) => {
            std::str::from_utf8(one).ok().and_then(|text| text.parse::<usize>().ok())
        }
        _ => return Err(format!("Content-Length is {lengths:?}")),
    };
    let chunked = match codings[..] {
        [] => false,
        [one] if one.eq_ignore_ascii_case(b"chunked") => true,
        _ => return Err(format!("Transfer-Encoding is {codings:?}")),
    };
    if chunked && length.is_some() {
        return Err("Content-Length beside Transfer-Encoding".to_owned());
    }
    let old = message.start.starts_with(b"HTTP/1.0") || message.start.ends_with(b"HTTP/1.0");
    if chunked && old {
        return Err("Transfer-Encoding in a message of HTTP/1.0".to_owned());
    }
    let (bare, to_head) = match kind {
        Kind::Request => (false, false),
        Kind::Response { to_head } => (matches!(message.status(), 100..200 | 204), to_head),
    };
    if bare && (chunked || length.is_some_and(|length| length > 0)) {
        return Err(format!("a response {} with the framing of a body", message.status()));
    }
    Ok(match (length, chunked) {
        _ if bare || to_head || message.status() == 304 => Framing::Empty,
        (_, true) => Framing::Chunked,
        (Some(length), _) => Framing::Length(length),
        (None, _) if kind == Kind::Request => Framing::Empty,
        (None, _) => Framing::UntilClose,
    })
}
