//! TLS of the listeners and towards the backends.

mod trust;

use harmony_tests::site::{BASE, echo, forward, ingress, on_ports};
use harmony_tests::{
    Identity, Raw, Site, Upstream, Workdir, binary, client, eventually, free_port, full, handshake,
};
use http::Response;
use reqwest::{Certificate, Client, ClientBuilder, StatusCode, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::channel;

/// Starts a gateway whose network `public` has TLS.
async fn secure(identity: &Identity, sections: &str) -> Site {
    let tls = "bind_port = PORT\ncert_path = \"tls/cert.pem\"\nkey_path = \"tls/key.pem\"\n";
    let dir = Workdir::with([("tls/cert.pem", identity.cert.clone()), ("tls/key.pem", identity.key.clone())]);
    Site::with(&format!("{}{sections}", BASE.replace("bind_port = PORT\n", tls)), dir).await
}

fn url(site: &Site, path: &str) -> String {
    format!("https://127.0.0.1:{}{path}", site.port)
}

fn trusting(identity: &Identity) -> ClientBuilder {
    let certificate = Certificate::from_pem(identity.cert.as_bytes()).unwrap();
    Client::builder().tls_certs_only([certificate]).no_proxy()
}

/// Returns the certificate of a new connection.
async fn served_certificate(site: &Site, trusted: &[&Identity]) -> std::io::Result<Vec<u8>> {
    let stream = handshake(site.port, trusted, &["http/1.1"]).await?;
    Ok(stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec())
}

/// Returns the inode of the socket that listens on `port`.
fn listening(port: u16) -> String {
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let local = format!(":{port:04X} 00000000:0000 0A");
    let line = table.lines().find(|line| line.contains(&local)).expect("a listening socket");
    line.split_whitespace().nth(9).unwrap().to_owned()
}

#[tokio::test]
async fn tls_serves_http_2_and_http_1() {
    let (identity, upstream) = (Identity::new(), Upstream::with_body("answered").await);
    let site = secure(&identity, &forward("all", "/", &upstream.url())).await;
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let stream = handshake(site.port, &[&identity], offered).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen, "{offered:?}");
    }
    for (client, version) in [
        (trusting(&identity).build().unwrap(), Version::HTTP_2),
        (trusting(&identity).http1_only().build().unwrap(), Version::HTTP_11),
    ] {
        let answer = client.get(url(&site, "/x")).send().await.unwrap();
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, version));
        assert_eq!(upstream.last_request().headers["x-forwarded-proto"], "https");
    }
    let unknown = Identity::new();
    assert!(handshake(site.port, &[&unknown], &[]).await.is_err());
}

#[tokio::test]
async fn cleartext_on_a_tls_network_is_dropped() {
    let upstream = Upstream::with_body("answered").await;
    let site = secure(&Identity::new(), &forward("all", "/", &upstream.url())).await;
    assert_eq!(Raw::get(site.port, "localhost", "/").await.statuses(), [0; 0]);
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn an_https_ingress_matches_over_tls_only() {
    let (identity, plain) = (Identity::new(), free_port());
    let site = secure(
        &identity,
        &format!(
            "[network.plain.http]\nbind_address = \"127.0.0.1\"\nbind_port = {plain}\n{}{}{}",
            echo("api", "/elsewhere").replace("[\"public\"]", "[\"public\", \"plain\"]"),
            ingress("api", "secure", "https://127.0.0.1:PORT/r4", "default"),
            ingress("api", "open", "http://127.0.0.1:PORT/open", "default"),
        ),
    )
    .await;
    let client = trusting(&identity).build().unwrap();
    let host = format!("127.0.0.1:{}", site.port);
    for (path, over_tls, in_clear) in [("/r4/x", 200, 404), ("/open/x", 404, 200)] {
        assert_eq!(client.get(url(&site, path)).send().await.unwrap().status(), over_tls, "{path}");
        assert_eq!(Raw::get(plain, &host, path).await.status(), in_clear, "{path}");
        let absolute =
            format!("GET https://{host}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(
            Raw::send(plain, absolute).await.status(),
            in_clear,
            "a scheme in the request target does not make TLS"
        );
    }
}

/// A new certificate is served on the same socket, and requests in flight finish.
#[tokio::test]
async fn a_new_certificate_keeps_the_socket() {
    let (old, new) = (Identity::new(), Identity::new());
    let (started, mut starts) = channel(1);
    let (release, _) = tokio::sync::broadcast::channel::<()>(1);
    let released = release.clone();
    let upstream = Upstream::with_handler(move |_| {
        let (started, mut released) = (started.clone(), released.subscribe());
        async move {
            started.send(()).await.unwrap();
            released.recv().await.unwrap();
            Response::new(full("finished"))
        }
    })
    .await;
    let site = secure(&old, &forward("all", "/", &upstream.url())).await;
    let socket = listening(site.port);
    assert_eq!(served_certificate(&site, &[&old, &new]).await.unwrap(), old.der.to_vec());
    let clients = [trusting(&old).build().unwrap(), trusting(&old).http1_only().build().unwrap()];
    let mut in_flight = Vec::new();
    for client in clients {
        in_flight.push(tokio::spawn(client.get(url(&site, "/slow")).send()));
        starts.recv().await.unwrap();
    }

    site.dir.replace("tls/key.pem", &new.key);
    site.dir.replace("tls/cert.pem", &new.cert);
    eventually("a new connection gets the new certificate", || async {
        match served_certificate(&site, &[&old, &new]).await {
            Ok(der) if der == new.der.to_vec() => Ok(()),
            other => Err(other),
        }
    })
    .await;
    assert_eq!(listening(site.port), socket);
    release.send(()).unwrap();
    for request in in_flight {
        assert_eq!(request.await.unwrap().unwrap().text().await.unwrap(), "finished");
    }
}

#[tokio::test]
async fn idle_connections_close_on_a_new_certificate() {
    let (old, new) = (Identity::new(), Identity::new());
    let site = secure(&old, &echo("all", "/")).await;
    let mut idle = handshake(site.port, &[&old], &["http/1.1"]).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    site.dir.replace("tls/key.pem", &new.key);
    site.dir.replace("tls/cert.pem", &new.cert);
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(std::time::Duration::from_secs(20), idle.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the idle connection stayed open");
}

/// A broken certificate is rejected with its place, and the old one stays in use.
#[tokio::test]
async fn a_broken_certificate_keeps_the_old_one() {
    let (old, other) = (Identity::new(), Identity::new());
    let site = secure(&old, &echo("all", "/")).await;
    for (file, text, good, why) in [
        ("tls/cert.pem", "no certificate at all", &old.cert, "no certificate in it"),
        ("tls/cert.pem", other.cert.as_str(), &old.cert, "do not fit"),
        ("tls/key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", &old.key, "fit"),
    ] {
        site.dir.replace(file, text);
        eventually("the edit is rejected", || async {
            let reason = site.host.status().reason();
            reason
                .filter(|r| r.contains(why) && r.contains("config.toml:9"))
                .ok_or_else(|| site.host.status())
        })
        .await;
        assert_eq!(served_certificate(&site, &[&old, &other]).await.unwrap(), old.der.to_vec());
        site.dir.replace(file, good);
        eventually("the repaired edit is applied", || async {
            site.host.status().in_sync().then_some(()).ok_or("not in sync")
        })
        .await;
    }
}

#[tokio::test]
async fn a_key_file_without_a_key_names_key_path() {
    let old = Identity::new();
    let site = secure(&old, &echo("all", "/")).await;
    site.dir.replace("tls/key.pem", "no key at all");
    site.host.reload().await;
    assert_eq!(served_certificate(&site, &[&old]).await.unwrap(), old.der.to_vec());
    let reason = site.host.status().reason().expect("the edit is rejected");
    assert!(reason.contains("no PKCS#8"), "{reason}");
    assert!(reason.contains("config.toml:10: network.public.http.key_path"), "{reason}");
}

#[tokio::test]
async fn https_backends_are_authenticated() {
    let (trusted, stranger) = (Identity::new(), Identity::new());
    let mut urls = Vec::new();
    for (identity, protocol) in [(&trusted, "h2"), (&trusted, "http/1.1"), (&stranger, "http/1.1")] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        urls.push(format!("https://{}", listener.local_addr().unwrap()));
        tokio::spawn(serve(listener, identity.acceptor(&[protocol])));
    }
    let dir = Workdir::with([("roots.pem", trusted.cert.clone())]);
    let (port, admin) = (free_port(), free_port());
    let pipelines =
        [("h2", 0), ("h1", 1), ("stranger", 2)].map(|(name, n)| forward(name, &format!("/{name}"), &urls[n]));
    dir.write("config.toml", &on_ports(&format!("{BASE}{}", pipelines.concat()), port, admin));
    let mut gateway = tokio::process::Command::new(binary());
    gateway.arg("run").arg("--config").arg(dir.config()).env("HOME", dir.path());
    gateway.env("SSL_CERT_FILE", dir.path().join("roots.pem")).env_remove("SSL_CERT_DIR").kill_on_drop(true);
    gateway.stderr(std::process::Stdio::null());
    let _gateway = gateway.spawn().unwrap();
    let ask = |path: &str| client().get(format!("http://127.0.0.1:{port}{path}")).send();
    eventually("the gateway responds", || ask("/h2/x")).await;
    for (path, version) in [("/h2/x", "HTTP/2.0"), ("/h1/x", "HTTP/1.1")] {
        assert_eq!(ask(path).await.unwrap().text().await.unwrap(), version);
    }
    assert_eq!(ask("/stranger/x").await.unwrap().status(), StatusCode::BAD_GATEWAY);
}

/// Responds to every request over TLS with its HTTP version.
async fn serve(listener: TcpListener, acceptor: tokio_rustls::TlsAcceptor) {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service =
                hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                    Ok::<_, std::convert::Infallible>(Response::new(full(format!("{:?}", request.version()))))
                });
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
