//! The invalid lines of the head of a response: which of them the parser may leave out.
//!
//! A proxy may repair a response (RFC 9112, section 5): folded lines are joined, spaces before a colon removed, and lines that
//! are no headers left out. An invalid line about the framing must not be left out, since the server has framed the body by it:
//! the response is refused instead.

/// The names of the framing headers, by their letters.
const FRAMING: [&[u8]; 2] = [b"contentlength", b"transferencoding"];

/// Returns whether no line of a whole head is an invalid one about the framing.
pub(super) fn are_harmless(head: &[u8]) -> bool {
    let Some(head) = head.strip_suffix(b"\n") else { return false };
    let lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    // Servers send empty lines before a response; the parser skips them.
    let mut lines = lines.skip_while(|line| line.is_empty()).skip(1);
    let mut is_framing = false;
    loop {
        let line = match lines.next() {
            None => return false,
            Some([]) => return lines.next().is_none(),
            Some(line) => line,
        };
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let letters = name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase);
        let letters: Vec<u8> = letters.collect();
        let has_framing = FRAMING.iter().any(|name| letters.windows(name.len()).any(|part| part == *name));
        if matches!(line.first(), Some(b' ' | b'\t')) {
            // What a folded line means has depended on the server.
            if is_framing || has_framing {
                return false;
            }
            continue;
        }
        if has_framing && !(colon.is_some() && is_name(name) && value.iter().all(|byte| is_text(*byte))) {
            return false;
        }
        is_framing = FRAMING.contains(&&*letters);
    }
}

/// Returns whether a name is a token (RFC 9110, section 5.6.2), maybe with spaces after it, which the parser removes.
fn is_name(name: &[u8]) -> bool {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let spaces = name.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    name.iter().rev().skip(spaces).all(is_token)
}

fn is_text(byte: u8) -> bool {
    !byte.is_ascii_control() || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(lines: &str) -> bool {
        let [one, other] = ["\r\n", "\n"].map(|end| {
            let text = format!("\r\nHTTP/1.1 200 OK\r\n{lines}\r\n\r\n").replace("\r\n", end);
            are_harmless(text.as_bytes())
        });
        assert_eq!(one, other, "{lines:?}");
        one
    }

    #[test]
    fn invalid_lines_about_framing_are_found() {
        for lines in [
            "Content-Length: 2",
            "Content-Length : 2",
            "X-Content-Length: 2\r\nX: \x01",
            "X-Bad\x01: 1\r\nno colon\r\n: empty\r\nN\u{e4}me: 1",
            "X-Long: a\r\n b\r\n\tc",
            "Transfer-Encoding: chunked",
            "Via: Content-Length\x01",
        ] {
            assert!(accepts(lines), "{lines:?}");
        }
        for lines in [
            "Content-Length\x01: 2",
            "Content Length: 2",
            "\x0bTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\x01",
            "Transfer-Encoding",
            "X: 1\r\n Transfer-Encoding: chunked",
            " Content-Length: 2",
            "Transfer-Encoding:\r\n chunked",
            "Content-Length: 1\r\n 0",
            "(Content-Length): 2",
            "X: \x01\r\n content-length: 2",
            "Content-Length:\r 2",
            "Content-Length\r: 2",
        ] {
            assert!(!accepts(lines), "{lines:?}");
        }
    }

    #[test]
    fn a_head_is_whole() {
        for text in
            ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nX: 1\r\n", "HTTP/1.1 200 OK\r\n\r\nX: 1\r\n"]
        {
            assert!(!are_harmless(text.as_bytes()), "{text:?}");
        }
    }
}
