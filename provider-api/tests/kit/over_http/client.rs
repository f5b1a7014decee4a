//! A minimal HTTP client.

use std::time::Duration;

use provider_api::{Error, ErrorKind, Result, Secret};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(super) const DEADLINE: Duration = Duration::from_millis(700);

const LIMIT: usize = 256 * 1024;

/// Sends a GET request on a connection of its own, and returns a JSON body of limited size.
pub(super) async fn get(api: &str, path: &str, token: &Secret) -> Result<Vec<u8>> {
    let lost = || Error::unavailable("the connection was lost");
    let address = api.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.map_err(|e| lost().with_source(e))?;
    let token = token.expose();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(|e| lost().with_source(e))?;
    let mut read = Vec::new();
    let (head, length) = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            read.drain(..end + 4);
            let length = header(&head, "content-length").and_then(|length| length.parse::<usize>().ok());
            break (head, length);
        }
        if stream.read_buf(&mut read).await.map_err(|e| lost().with_source(e))? == 0 {
            return Err(lost());
        }
    };
    while length.is_none_or(|length| read.len() < length) {
        if read.len() > LIMIT {
            return Err(Error::unavailable("the response is too large"));
        }
        match stream.read_buf(&mut read).await.map_err(|e| lost().with_source(e))? {
            0 if length.is_none() => break,
            0 => return Err(lost()),
            _ => {}
        }
    }
    check_status(&head, read)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn check_status(head: &str, body: Vec<u8>) -> Result<Vec<u8>> {
    let status = head.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()).unwrap_or_default();
    let is_json = header(head, "content-type") == Some("application/json");
    let kind = match status {
        200 if is_json => return Ok(body),
        403 if is_json => ErrorKind::Denied,
        404 if is_json => ErrorKind::NotFound,
        400 | 409 | 422 if is_json => ErrorKind::Invalid,
        _ => ErrorKind::Unavailable,
    };
    let error = Error::new(kind, format!("the control plane returned {status}"));
    match header(head, "retry-after").and_then(|wait| wait.parse().ok()) {
        Some(wait) => Err(error.with_retry_after(Duration::from_secs(wait))),
        None => Err(error),
    }
}
