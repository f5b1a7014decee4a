use std::io;

use http::Uri;
use http::uri::Authority;
use provider_api::Secret;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::HEADER;
use super::question::Question;

/// The longest head of an answer; ours are far shorter.
const MAX_HEAD: u64 = 8 * 1024;

/// Asks one question on a connection that others follow on, and gives what the answer says.
///
/// # Errors
/// What the operating system says; `InvalidInput` when the question is none that HTTP can ask, `InvalidData` when what
/// answers is not this gateway.
pub(super) async fn ask(
    stream: &mut BufReader<TcpStream>,
    question: &Question,
    secret: &Secret,
) -> io::Result<String> {
    let request = written(question, secret)?;
    stream.get_mut().write_all(request.as_bytes()).await?;
    let mut answer = None;
    let mut head = stream.take(MAX_HEAD);
    loop {
        let mut line = String::new();
        if head.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case(HEADER) => {
                answer = Some(value.trim().to_owned())
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let strange = || io::Error::new(io::ErrorKind::InvalidData, "what answers is not this gateway");
    answer.ok_or_else(strange)
}

/// The bytes of a request. What is in the question was configured, so that it is parsed before it is sent: it asks one
/// thing and says nothing else.
fn written(question: &Question, secret: &Secret) -> io::Result<String> {
    let wrong = |e: http::uri::InvalidUri, what: &str| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{what:?} cannot be asked for: {e}"))
    };
    let authority = question.authority();
    let host: Authority = authority.parse().map_err(|e| wrong(e, &authority))?;
    let target: Uri = question.path.parse().map_err(|e| wrong(e, &question.path))?;
    // About the communication and not the resource (RFC 9110, section 9.3.7).
    Ok(format!("OPTIONS {target} HTTP/1.1\r\nHost: {host}\r\n{HEADER}: {}\r\n\r\n", secret.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str) -> io::Result<String> {
        let mut question = Question::whole();
        question.path = path.to_owned();
        written(&question, &Secret::new("secret"))
    }

    #[test]
    fn a_question_is_one_request_whatever_was_configured() {
        for path in ["*", "/", "/a/b%20c", "/\u{e9}"] {
            let request = asked(path).unwrap();
            assert!(
                request.starts_with(&format!("OPTIONS {path} HTTP/1.1\r\nHost: probe.invalid:80\r\n")),
                "{request}"
            );
        }
        for path in ["/a b", "/a\r\nX: y", "/ HTTP/1.1\r\n\r\nGET /b", "/\u{7f}", ""] {
            assert_eq!(asked(path).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{path:?}");
        }
    }
}
