//! The grammar of Forwarded (RFC 7239, section 4) and of the addresses in it and in X-Forwarded-For.

use std::net::{IpAddr, SocketAddr};

/// Returns whether each element of a line of Forwarded ends where it seems to: a value is a token or a whole quoted string.
/// Values with colons and brackets are permitted without quotes, as many proxies write them.
pub(crate) fn is_list_of_elements(line: &[u8]) -> bool {
    let mut rest = line;
    let mut after_equals = false;
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'"' if after_equals => {
                let Some(end) = end_of_string(rest) else { return false };
                rest = rest.get(end..).unwrap_or_default().trim_ascii_start();
                if !matches!(rest.first(), None | Some(b',' | b';')) {
                    return false;
                }
                after_equals = false;
            }
            b'"' | b'\\' | b'(' | b')' => return false,
            b'=' => after_equals = true,
            b' ' | b'\t' => {}
            _ if first.is_ascii_graphic() => after_equals = false,
            _ => return false,
        }
    }
    true
}

/// Returns the length of a quoted string, after its first quote.
fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            b' '..=b'~' => {}
            _ => return None,
        }
    }
    None
}

/// Returns the address that each element of a line of Forwarded names with `for`, in their order; `None` for an element
/// without one, such as `for=unknown`, and for a line that is not well-formed.
pub(crate) fn clients(line: &str) -> Vec<Option<IpAddr>> {
    match is_list_of_elements(line.as_bytes()) {
        true => split(line, ',').map(client).collect(),
        false => vec![None],
    }
}

fn client(element: &str) -> Option<IpAddr> {
    let mut values = split(element, ';').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    });
    let (value, None) = (values.next()?, values.next()) else { return None };
    node(value.trim().trim_matches('"'))
}

/// Returns the address of a node: an address, with or without a port. One of IPv6 with a port has brackets.
pub(crate) fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// Splits a well-formed line where `separator` stands outside of quoted strings.
fn split(line: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    line.split(move |c| {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_quoted,
            '"' => is_quoted = !is_quoted,
            _ => return c == separator && !is_quoted,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_name_clients() {
        let shown = |line: &str| {
            let all = clients(line).into_iter();
            all.map(|client| client.map_or("-".to_owned(), |client| client.to_string())).collect::<Vec<_>>()
        };
        for (line, expected) in [
            ("for=203.0.113.7", &["203.0.113.7"][..]),
            ("For=203.0.113.7;proto=https;by=10.0.0.1, for=10.0.0.2", &["203.0.113.7", "10.0.0.2"]),
            ("for=\"203.0.113.7:4711\", for=203.0.113.8:80", &["203.0.113.7", "203.0.113.8"]),
            ("for=\"[2001:db8::7]:4711\";host=a, for=\"[2001:db8::8]\"", &["2001:db8::7", "2001:db8::8"]),
            ("for=[::1], for=\"::ffff:10.0.0.1\"", &["::1", "10.0.0.1"]),
            ("for=unknown, for=_secret, proto=https,", &["-", "-", "-", "-"]),
            ("host=\"a, for=6.6.6.6\";for=1.1.1.1", &["1.1.1.1"]),
            ("host=\"a;for=6.6.6.6\\\"\"", &["-"]),
            ("for=1.1.1.1;for=6.6.6.6", &["-"]),
            ("for=\"1.1.1.1, for=2.2.2.2", &["-"]),
            ("", &["-"]),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }
}
