use std::io;

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
/// What the operating system says; `InvalidData` when what answers is not this gateway.
pub(super) async fn ask(
    stream: &mut BufReader<TcpStream>,
    question: &Question,
    secret: &Secret,
) -> io::Result<String> {
    let (path, host) = (&question.path, question.authority());
    // About the communication and not the resource (RFC 9110, section 9.3.7).
    let request = format!("OPTIONS {path} HTTP/1.1\r\nHost: {host}\r\n{HEADER}: {}\r\n\r\n", secret.expose());
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
