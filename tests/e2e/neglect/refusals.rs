//! Refusals in front of a body that nobody reads: the client reads the whole response.

use harmony_tests::site::{BASE, echo, ingress, mesh};
use harmony_tests::{Raw, Site, Workdir};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Starts a gateway with a limit of bodies, a member of a mesh, and a management token.
async fn site() -> Site {
    let base = BASE.replace(
        "network = \"management\"\n",
        "network = \"management\"\ntoken = \"a-token-of-the-operator-with-32-characters-or-more\"\n",
    );
    let config = format!("{base}[proxy.content_limits]\nmax_body_size = 1000000\n{}", echo("open", "/open"))
        + &echo("api", "/api")
        + &ingress("api", "api", "http://api.example.com/r4", "mesh")
        + &mesh("clinic", "api");
    Site::with(&config, Workdir::new()).await
}

/// Sends `head` and `body`, and only then reads, as simple clients do. Returns the response, or the error.
async fn ask(port: u16, head: &str, body: usize) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let framing = format!("Content-Length: {body}\r\n\r\n");
    let request = if head.ends_with("\r\n") { format!("{head}{framing}") } else { head.to_owned() };
    stream.write_all(request.as_bytes()).await?;
    stream.write_all(&vec![b'x'; body]).await?;
    let mut answer = Vec::new();
    let mut some = [0; 4096];
    // The server ends a connection that it cannot use again; the other responses have a length.
    loop {
        let count = stream.read(&mut some).await?;
        answer.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        if count == 0 || is_whole(&text) && !text.to_lowercase().contains("connection: close") {
            return Ok(text);
        }
    }
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| body.len() >= length.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_reads_its_refusal() {
    let site = site().await;
    let large_head = format!("POST /api HTTP/1.1\r\nHost: localhost\r\nX-Large: {}\r\n", "x".repeat(200_000));
    let cases = [
        (site.port, "POST /none HTTP/1.1\r\nHost: localhost\r\n", 404),
        (site.port, "POST /r4 HTTP/1.1\r\nHost: api.example.com\r\n", 403),
        (site.port, "TRACE /api HTTP/1.1\r\nHost: localhost\r\n", 405),
        (site.port, "POST /api/%zz HTTP/1.1\r\nHost: localhost\r\n", 400),
        (site.port, &large_head, 431),
        (site.admin, "POST /admin/reload HTTP/1.1\r\nHost: localhost\r\nVia: 1.1 x\r\n", 401),
        (
            site.admin,
            "POST /admin/none HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
            404,
        ),
    ];
    let mut clients = JoinSet::new();
    for (port, head, status) in cases {
        for body in [10, 60_000, 70_000, 500_000] {
            // Together they have more clients than the management network has places.
            for _ in 0..10 {
                let head = head.to_owned();
                clients.spawn(async move { (status, body, ask(port, &head, body).await) });
            }
        }
    }
    while let Some(asked) = clients.join_next().await {
        let (status, body, answer) = asked.unwrap();
        let answer = answer.unwrap_or_else(|error| panic!("{status} in front of {body} bytes: {error}"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}, {body}: {answer}");
        assert!(is_whole(&answer) || status == 431, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_above_the_limit_is_read_no_further() {
    let site = site().await;
    let mut clients = JoinSet::new();
    for _ in 0..50 {
        let port = site.port;
        clients
            .spawn(async move { ask(port, "POST /open HTTP/1.1\r\nHost: localhost\r\n", 1_500_000).await });
    }
    while let Some(asked) = clients.join_next().await {
        let answer = asked.unwrap().unwrap().to_lowercase();
        assert!(answer.starts_with("http/1.1 413 ") && answer.contains("connection: close"), "{answer}");
    }
}

/// A client that waits for permission sends no body after a refusal, so the connection closes at once.
#[tokio::test]
async fn no_permission_for_a_refused_body() {
    let site = site().await;
    let head = "POST /none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n";
    let answer = Raw::send(site.port, head).await;
    assert_eq!(answer.statuses(), [404], "{}", answer.0);
    assert!(answer.head().contains("connection: close"), "{}", answer.0);
}
