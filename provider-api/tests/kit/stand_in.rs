//! Tests of the stand-in over raw TCP.

use std::time::Duration;

use provider_api::testkit::{Answer, StandIn, Trouble};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn stand_in() -> StandIn {
    StandIn::start(|request| match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/things") => Answer::json(200, &json!({ "name": "thing", "by": request.bearer(), "n": 1 })),
        ("POST", "/things") => Answer::json(201, &request.json()),
        _ => Answer::refusal(404, "no such path"),
    })
    .await
    .unwrap()
}

/// Sends a request, and returns all bytes until the connection ends.
async fn send_raw(server: &StandIn, request: &str) -> String {
    let address = server.url().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 100_000];
    let mut length = 0;
    // A dripping response never ends, so read only its first bytes.
    for _ in 0..20 {
        match tokio::time::timeout(Duration::from_millis(150), stream.read(&mut answer[length..])).await {
            Ok(Ok(more @ 1..)) => length += more,
            _ => break,
        }
    }
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

const GET: &str = "GET /things?x=1 HTTP/1.1\r\nHost: kit\r\nAuthorization: Bearer one\r\n\r\n";

#[tokio::test]
async fn the_stand_in_responds_and_records() {
    let server = stand_in().await;
    let answer = send_raw(&server, GET).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ")
            && answer.ends_with("{\"by\":\"one\",\"n\":1,\"name\":\"thing\"}"),
        "{answer}"
    );
    let post = "POST /things HTTP/1.1\r\ncontent-length: 7\r\n\r\n{\"a\":1}";
    assert!(send_raw(&server, &format!("{post}{post}")).await.matches("HTTP/1.1 201").count() == 2);
    assert!(send_raw(&server, "GET /none HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 404"));
    let requests = server.asked();
    let seen: Vec<_> =
        requests.iter().map(|request| (request.method.as_str(), request.query.as_str())).collect();
    assert_eq!(seen, [("GET", "x=1"), ("POST", ""), ("POST", ""), ("GET", "")]);
    assert_eq!(requests[1].json(), json!({ "a": 1 }));
}

#[tokio::test]
async fn the_stand_in_simulates_every_trouble() {
    let server = stand_in().await;
    let with = async |trouble: Trouble| {
        server.calm().await.unwrap();
        server.trouble("/things", &trouble).await;
        send_raw(&server, GET).await
    };
    assert!(with(Trouble::Status(503)).await.starts_with("HTTP/1.1 503"));
    let wait = with(Trouble::Wait(429, Duration::from_secs(7))).await;
    assert!(wait.contains("429") && wait.contains("retry-after: 7\r\n"), "{wait}");
    assert!(with(Trouble::Quotes(401)).await.contains("unknown credential Bearer one"));
    assert!(with(Trouble::Page(200)).await.contains("content-type: text/html"));
    assert!(with(Trouble::ContentType).await.contains("content-type: text/plain\r\n"));
    assert!(with(Trouble::Blank).await.ends_with("{\"by\":\"\",\"n\":1,\"name\":\"\"}"));
    assert!(with(Trouble::HugeNumbers).await.contains(&u64::MAX.to_string()));
    assert!(with(Trouble::MoreFields).await.contains("kit_new_field"));
    assert!(with(Trouble::Redirect("http://x/".to_owned())).await.contains("location: http://x/\r\n"));
    assert_eq!(with(Trouble::Silence).await, "");
    assert_eq!(with(Trouble::Cut).await, "");
    assert_eq!(with(Trouble::LostAnswer).await, "");
    assert!(with(Trouble::HalfBody).await.ends_with("\r\n\r\n{\"by\":\"one\",\"n\":"));
    let drips = with(Trouble::Drip).await;
    assert!(drips.ends_with(": close\r\n\r\n{\"data\":[ ") || drips.ends_with("  "), "{drips}");
    assert!(with(Trouble::Delay(Duration::from_millis(20))).await.contains("\"by\":\"one\""));
    assert!(with(Trouble::EndlessBody).await.len() > 5_000);
    assert!(with(Trouble::Garbage).await.contains("oh"));
    assert!(with(Trouble::Shape).await.contains("unexpected"));
    server.trouble("/", &Trouble::Unreachable).await;
    assert!(TcpStream::connect(server.url().replace("http://", "")).await.is_err());
    server.calm().await.unwrap();
    assert!(send_raw(&server, GET).await.starts_with("HTTP/1.1 200"));
}
