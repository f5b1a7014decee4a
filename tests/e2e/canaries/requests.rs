//! Requests of clients, with secrets in their heads, targets and bodies.

use harmony_tests::{Forged, Raw, client};
use http::Method;

use super::world::World;

/// The answers that the requests get, by path.
const PATHS: [(&str, u16); 9] = [
    ("/open/patients", 200),
    ("/nothing", 404),
    ("/dead", 502),
    ("/odd", 502),
    ("/slow", 504),
    ("/headers", 501),
    ("/secured", 403),
    ("/guarded", 403),
    ("/keyed", 403),
];

/// Sends requests that are answered with each kind of error, and adds the answers of the gateway itself.
pub(super) async fn send(world: &mut World) {
    let secret = world.canaries.word("the headers of a request");
    let query = world.canaries.word("the query of a request");
    let body = world.canaries.word("the body of a request");
    for (path, expected) in PATHS {
        let request = client()
            .post(world.url(&format!("{path}?password={query}&x={query}#{query}")))
            .header("authorization", format!("Bearer {secret}"))
            .header("cookie", format!("session={secret}"))
            .header("x-api-key", &secret)
            .header("proxy-authorization", format!("Basic {secret}"))
            .header("user-agent", &secret)
            .header("referer", format!("https://u:{secret}@a.example/?token={secret}"))
            .header("sec-websocket-protocol", format!("bearer, {secret}"))
            .body(body.clone());
        match expected {
            // The answer of the backend is the client's.
            200 => assert_eq!(request.send().await.unwrap().status(), 200),
            _ => assert_eq!(world.outputs.ask(request).await, expected, "{path}"),
        }
    }
    let seen = world.upstream.last_request();
    assert!(seen.uri.to_string().contains(&query), "the backend saw the query: {}", seen.uri);
    assert_eq!((&seen.headers["x-api-key"], &seen.body[..]), (&secret.parse().unwrap(), body.as_bytes()));
    let variable = world.canaries.all().iter().find(|canary| canary.place == "a variable of the environment");
    assert!(seen.uri.path().contains(&variable.unwrap().value), "the backend saw the variable: {}", seen.uri);
    let large = client().post(world.url("/open")).body(body.repeat(200));
    assert_eq!(world.outputs.ask(large).await, 413);
    mesh_requests(world).await;
    broken_requests(world, &secret).await;
    management_requests(world, &secret, &query).await;
}

/// Sends tokens of a mesh: good, for another key, and for another time.
async fn mesh_requests(world: &mut World) {
    let good = world.mesh_token();
    let wrong = Forged::of("clinic").signed_with(b"another secret of more than 32 bytes").jwt();
    let old = Forged::of("clinic").signed_with(world.mesh_secret.as_bytes()).shifted(-3600).jwt();
    for (place, token, status) in [
        ("a good mesh token", good, 200),
        ("a forged mesh token", wrong, 403),
        ("an old mesh token", old, 403),
    ] {
        world.canaries.token(place, &token);
        for path in ["/secured", "/guarded"] {
            let answer = client().get(world.url(path)).bearer_auth(&token).send().await.unwrap();
            assert_eq!(answer.status(), status, "{place} at {path}");
        }
    }
    // A request that leaves for a member has a token that the gateway has made.
    assert_eq!(client().get(world.url("/out")).send().await.unwrap().status(), 200);
    let issued = world.upstream.last_request().headers["authorization"].to_str().unwrap().to_owned();
    world.canaries.token("an issued mesh token", issued.strip_prefix("Bearer ").expect("a token"));
}

/// Sends heads that are refused before a route is known.
async fn broken_requests(world: &mut World, secret: &str) {
    let long = format!("X-Api-Key: {}", secret.repeat(6000));
    for (name, head) in [
        (
            "user information in the target",
            format!("GET http://u:{secret}@127.0.0.1/open HTTP/1.1\r\nHost: 127.0.0.1"),
        ),
        ("user information in Host", format!("GET /open HTTP/1.1\r\nHost: u:{secret}@127.0.0.1")),
        ("a header without a colon", format!("GET /open HTTP/1.1\r\nHost: a\r\nAuthorization {secret}")),
        (
            "a header with a control character",
            format!("GET /open HTTP/1.1\r\nHost: a\r\nX-Api-Key: \u{1}{secret}"),
        ),
        (
            "two framings",
            format!(
                "GET /open?token={secret} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: {secret}"
            ),
        ),
        ("a transfer coding", format!("GET /open HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {secret}")),
        ("an unknown version", format!("GET /open?token={secret} HTTP/9.9\r\nHost: a")),
        ("a head that is too large", format!("GET /open HTTP/1.1\r\nHost: a\r\n{long}")),
    ] {
        let raw = Raw::send(world.port, format!("{head}\r\nConnection: close\r\n\r\n")).await;
        assert_ne!(raw.statuses().first(), Some(&200), "{name}");
        world.outputs.add(format!("the answer to {name}"), raw.0);
    }
}

/// Sends wrong tokens and foreign requests to the management API.
async fn management_requests(world: &mut World, secret: &str, query: &str) {
    let api = world.api();
    for (method, path, expected) in [
        (Method::GET, "info", 401),
        (Method::GET, "none", 401),
        (Method::POST, "reload", 401),
        (Method::POST, "token", 401),
    ] {
        let request = client().request(method, format!("{api}/{path}?token={query}"));
        let request = request.header("via", "1.1 proxy").bearer_auth(secret).header("cookie", secret);
        assert_eq!(world.outputs.ask(request).await, expected, "{path}");
    }
    for (path, body) in
        [("token", format!("{{\"machine_token\":{secret:?}")), ("authorize", format!("{secret:?}"))]
    {
        let request = client().post(format!("{api}/{path}")).bearer_auth(&world.management_token);
        let request = request.header("content-type", "application/json").body(body);
        let status = world.outputs.ask(request).await;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    let login =
        client().post(format!("{api}/reload")).header("origin", format!("https://u:{secret}@evil.example"));
    assert_eq!(world.outputs.ask(login).await, 403);
}
