//! One connection of the stand-in.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::answer::Answer;
use super::edit::{blank, with_huge_numbers, with_more_fields};
use super::request::Asked;
use super::shared::{Shared, lock};
use crate::testkit::Trouble;

/// The largest accepted size of a head or body. No provider sends more.
const MAX_SIZE: usize = 16 * 1024 * 1024;

/// The delay between two bytes of a dripping response.
const DRIP_INTERVAL: Duration = Duration::from_millis(20);

/// Serves one connection until it ends. I/O errors only end it: a provider may close it at any time.
pub(super) async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut read = Vec::new();
    while let Ok(Some(request)) = read_request(&mut stream, &mut read).await {
        lock(&shared.requests).push(request.clone());
        let trouble = shared.trouble(&request);
        if !matches!(respond(&mut stream, &shared, &request, trouble).await, Ok(true)) {
            return;
        }
    }
}

/// Reads the next request. Returns `None` at the end of the connection, and for bytes that are not a request.
async fn read_request(stream: &mut TcpStream, read: &mut Vec<u8>) -> io::Result<Option<Asked>> {
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if read.len() > MAX_SIZE || stream.read_buf(read).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let Some((mut request, length)) = Asked::of_head(&head) else { return Ok(None) };
    let end = end + 4;
    while read.len() < end.saturating_add(length) {
        if length > MAX_SIZE || stream.read_buf(read).await? == 0 {
            return Ok(None);
        }
    }
    request.body = read[end..end + length].to_vec();
    read.drain(..end + length);
    Ok(Some(request))
}

/// Responds as the trouble demands. Returns true when the connection stays open.
async fn respond(
    stream: &mut TcpStream,
    shared: &Shared,
    request: &Asked,
    trouble: Option<Trouble>,
) -> io::Result<bool> {
    let correct = || (shared.handler)(request);
    let refusal = |status| Answer::refusal(status, "simulated fault");
    let answer = match trouble {
        None => correct(),
        Some(Trouble::Status(status)) => refusal(status),
        Some(Trouble::Wait(status, wait)) => refusal(status).with("retry-after", wait.as_secs().to_string()),
        Some(Trouble::Quotes(status)) => {
            let credential = request.header("authorization").unwrap_or_default();
            Answer::refusal(status, &format!("unknown credential {credential}, request {}", request.json()))
        }
        Some(Trouble::Page(status)) => {
            let page = format!("<!doctype html><title>{status}</title><h1>{status} from a proxy</h1>\n");
            Answer::of(status, "text/html; charset=utf-8", page)
        }
        Some(Trouble::ContentType) => correct().with("content-type", "text/plain"),
        Some(Trouble::Garbage) => Answer::of(200, "application/json", b"{\"data\": [\xff\xfe oh".to_vec()),
        Some(Trouble::Shape) => Answer::json(200, &json!({ "unexpected": [true] })),
        Some(Trouble::Blank) => blank(&correct()),
        Some(Trouble::HugeNumbers) => with_huge_numbers(&correct()),
        Some(Trouble::MoreFields) => with_more_fields(&correct()),
        Some(Trouble::Redirect(url)) => refusal(302).with("location", url),
        Some(Trouble::Silence) => return silence(stream).await,
        Some(Trouble::Cut | Trouble::Unreachable) => return Ok(false),
        Some(Trouble::LostAnswer) => {
            correct();
            return Ok(false);
        }
        Some(Trouble::HalfBody) => return half(stream, &correct()).await,
        Some(Trouble::EndlessBody) => return endless(stream).await,
        Some(Trouble::Drip) => return drip(stream).await,
        Some(Trouble::Delay(time)) => {
            tokio::time::sleep(time).await;
            correct()
        }
    };
    stream.write_all(answer.head(Some(answer.body.len())).as_bytes()).await?;
    stream.write_all(&answer.body).await?;
    stream.flush().await?;
    Ok(true)
}

/// Sends nothing until the client closes the connection.
async fn silence(stream: &mut TcpStream) -> io::Result<bool> {
    let mut more = [0; 1024];
    while stream.read(&mut more).await? > 0 {}
    Ok(false)
}

async fn half(stream: &mut TcpStream, answer: &Answer) -> io::Result<bool> {
    stream.write_all(answer.head(Some(answer.body.len().max(2))).as_bytes()).await?;
    stream.write_all(&answer.body[..answer.body.len() / 2]).await?;
    stream.flush().await?;
    Ok(false)
}

async fn endless(stream: &mut TcpStream) -> io::Result<bool> {
    send_start(stream).await?;
    loop {
        stream.write_all(&[b' '; 16 * 1024]).await?;
    }
}

async fn drip(stream: &mut TcpStream) -> io::Result<bool> {
    send_start(stream).await?;
    loop {
        stream.write_all(b" ").await?;
        tokio::time::sleep(DRIP_INTERVAL).await;
    }
}

/// Sends the start of a response that ends with the connection.
async fn send_start(stream: &mut TcpStream) -> io::Result<()> {
    let start = Answer::of(200, "application/json", b"{\"data\":[".to_vec());
    stream.write_all(start.head(None).as_bytes()).await?;
    stream.write_all(&start.body).await?;
    stream.flush().await
}
