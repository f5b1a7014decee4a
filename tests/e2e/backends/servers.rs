//! The servers that people run: nginx, haproxy and Apache httpd, as a backend and in front.
//!
//! A server that is not installed is left out with a note. With `HARMONY_TEST_SERVERS` set, as in CI, that is a failure.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use harmony_tests::site::{BASE, pipeline};
use harmony_tests::{Identity, Site, Upstream, Workdir, free_port};
use reqwest::{Certificate, Client, StatusCode};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// A server process with its files. Ends when it is dropped.
struct Server {
    child: Child,
    _dir: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx and httpd end their workers on the signal only.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A kind of server: its program, and its configuration in its own words.
#[derive(Clone, Copy)]
struct Kind {
    program: &'static str,
    arguments: &'static [&'static str],
    /// The configuration, with `DIR`, `PLAIN` and `TLS` (ports), `BACKEND` (address) and `REQUESTS` (of one connection).
    config: &'static str,
}

/// nginx answers on both ports: `/hello` itself, the rest from the backend.
const NGINX: Kind = Kind {
    program: "nginx",
    arguments: &["-p", "DIR", "-c", "DIR/config"],
    config: r#"
daemon off; pid DIR/pid; error_log stderr; worker_processes 1;
events { worker_connections 512; }
http {
    access_log off; client_body_temp_path DIR/body; proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
    keepalive_requests REQUESTS;
    server {
        listen 127.0.0.1:PLAIN; listen 127.0.0.1:TLS ssl http2;
        ssl_certificate DIR/cert.pem; ssl_certificate_key DIR/key.pem;
        location /hello { return 200 "hello from $server_protocol"; }
        location / { proxy_pass http://BACKEND; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }
}"#,
};

const HAPROXY: Kind = Kind {
    program: "haproxy",
    arguments: &["-f", "DIR/config", "-db"],
    config: r#"
global
    maxconn 512
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend all
    bind 127.0.0.1:PLAIN
    bind 127.0.0.1:TLS ssl crt DIR/both.pem alpn h2,http/1.1
    http-request return status 200 content-type text/plain lf-string "hello from %HV" if { path /hello }
    default_backend behind
backend behind
    server one BACKEND
"#,
};

const HTTPD: Kind = Kind {
    program: "apache2",
    arguments: &["-d", "DIR", "-f", "DIR/config", "-DFOREGROUND"],
    config: r#"
ServerName localhost
PidFile DIR/pid
ErrorLog DIR/log
Mutex file:DIR
Listen 127.0.0.1:PLAIN
Listen 127.0.0.1:TLS
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so
MaxKeepAliveRequests REQUESTS
Protocols h2 http/1.1
DocumentRoot DIR
RewriteEngine on
ProxyPass /hello !
ProxyPass / http://BACKEND/
<VirtualHost 127.0.0.1:PLAIN>
    ProxyPass /hello !
    ProxyPass / http://BACKEND/
</VirtualHost>
<VirtualHost 127.0.0.1:TLS>
    SSLEngine on
    SSLCertificateFile DIR/cert.pem
    SSLCertificateKeyFile DIR/key.pem
    ProxyPass /hello !
    ProxyPass / http://BACKEND/
</VirtualHost>
"#,
};

/// Returns whether a server is installed.
///
/// # Panics
/// Panics if it is not and must be.
fn is_installed(kind: &Kind) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&paths).chain(["/usr/sbin".into()]);
    let found = places.any(|place| place.join(kind.program).is_file());
    assert!(found || std::env::var_os("HARMONY_TEST_SERVERS").is_none(), "{} is not installed", kind.program);
    if !found {
        eprintln!("left out: {} is not installed", kind.program);
    }
    found
}

/// Starts a server before `backend`, on these ports. It ends each connection after some requests, if it can.
async fn start(
    kind: &Kind,
    identity: &Identity,
    [plain, tls]: [u16; 2],
    backend: &str,
    requests: usize,
) -> Server {
    let dir = TempDir::new().unwrap();
    open_to_all(dir.path());
    let path = dir.path().to_str().unwrap().to_owned();
    let config = kind.config.replace("DIR", &path).replace("PLAIN", &plain.to_string());
    let config = config.replace("TLS", &tls.to_string()).replace("BACKEND", backend);
    let config = config.replace("REQUESTS", &requests.to_string());
    for (name, text) in [
        ("config", config),
        ("cert.pem", identity.cert.clone()),
        ("key.pem", identity.key.clone()),
        ("both.pem", format!("{}{}", identity.cert, identity.key)),
        ("hello", "hello from httpd".to_owned()),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let paths = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(kind.program);
    command.args(kind.arguments.iter().map(|argument| argument.replace("DIR", &path)));
    command.env("PATH", format!("{paths}:/usr/sbin")).stdin(Stdio::null()).stdout(Stdio::null());
    let mut server = Server { child: command.spawn().expect("it starts"), _dir: dir };
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", tls)).await.is_ok() {
            return server;
        }
        assert!(server.child.try_wait().unwrap().is_none(), "{} has ended", kind.program);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} does not listen", kind.program);
}

/// A server that gives up its privileges must still reach its files.
fn open_to_all(directory: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).unwrap();
}

/// Starts a gateway with the pipelines `/plain` and `/tls`, without retries, to a server with `identity` on these ports.
pub(super) async fn before(identity: &Identity, [plain, tls]: [u16; 2]) -> Site {
    let backend = |url: String| {
        format!(
            "service = \"http\"\noptions.base_url = \"{url}\"\noptions.ca_cert_path = \"ca.pem\"\nmax_retries = 0"
        )
    };
    let sections = pipeline("plain", "/plain", &backend(format!("http://127.0.0.1:{plain}")))
        + &pipeline("tls", "/tls", &backend(format!("https://127.0.0.1:{tls}")));
    let dir = Workdir::with([("ca.pem", identity.cert.clone())]);
    Site::with(&format!("{BASE}{sections}"), dir).await
}

/// Requests of every kind through the gateway to `kind`, over HTTP/1 and over HTTP/2 with TLS, some at a time: more than it
/// serves on one connection.
async fn serves_as_backend(kind: &Kind) {
    if !is_installed(kind) {
        return;
    }
    let (identity, behind) = (Identity::new(), Upstream::with_body("from behind").await);
    let ports = [free_port(), free_port()];
    let address = behind.url().trim_start_matches("http://").to_owned();
    let _server = start(kind, &identity, ports, &address, 7).await;
    let site = before(&identity, ports).await;
    let client = harmony_tests::client();
    for prefix in ["/plain", "/tls"] {
        let url = |path: &str| site.url(&format!("{prefix}{path}"));
        let hello = client.get(url("/hello")).send().await.unwrap();
        assert_eq!(hello.status(), StatusCode::OK, "{} {prefix}", kind.program);
        let rounds = (0..60).map(async |n| {
            let answer = match n % 3 {
                0 => client.get(url("/x")).send().await,
                1 => client.post(url("/x")).body("a".repeat(n * 100)).send().await,
                _ => client.head(url("/x")).send().await,
            };
            answer.unwrap().status()
        });
        let statuses = join_all(rounds).await;
        assert!(statuses.iter().all(|s| *s == StatusCode::OK), "{} {prefix}: {statuses:?}", kind.program);
    }
    let lengths: Vec<usize> = behind.requests().iter().map(|request| request.body.len()).collect();
    assert_eq!(
        lengths.iter().sum::<usize>(),
        2 * (0..60).filter(|n| n % 3 == 1).map(|n| n * 100).sum::<usize>()
    );
}

/// Requests through `kind` to the gateway behind it.
async fn serves_in_front(kind: &Kind) {
    if !is_installed(kind) {
        return;
    }
    let (identity, behind) = (Identity::new(), Upstream::with_body("from behind").await);
    let backend = format!("service = \"http\"\noptions.base_url = \"{}\"", behind.url());
    let site = Site::serving(&pipeline("all", "/", &backend)).await;
    let ports = [free_port(), free_port()];
    let _server = start(kind, &identity, ports, &format!("127.0.0.1:{}", site.port), 1000).await;
    let certificate = Certificate::from_pem(identity.cert.as_bytes()).unwrap();
    let client = Client::builder().tls_certs_only([certificate]).no_proxy().build().unwrap();
    for url in [format!("http://127.0.0.1:{}/x", ports[0]), format!("https://127.0.0.1:{}/x", ports[1])] {
        let statuses = join_all((0..60).map(async |n| {
            let answer = match n % 2 {
                0 => client.get(&url).send().await,
                _ => client.post(&url).body("a".repeat(n * 100)).send().await,
            };
            answer.unwrap().status()
        }));
        let statuses = statuses.await;
        assert!(statuses.iter().all(|s| *s == StatusCode::OK), "{} {url}: {statuses:?}", kind.program);
    }
}

#[tokio::test]
async fn nginx_serves_as_backend() {
    serves_as_backend(&NGINX).await;
}

#[tokio::test]
async fn haproxy_serves_as_backend() {
    serves_as_backend(&HAPROXY).await;
}

#[tokio::test]
async fn httpd_serves_as_backend() {
    serves_as_backend(&HTTPD).await;
}

#[tokio::test]
async fn nginx_serves_in_front() {
    serves_in_front(&NGINX).await;
}

#[tokio::test]
async fn haproxy_serves_in_front() {
    serves_in_front(&HAPROXY).await;
}

#[tokio::test]
async fn httpd_serves_in_front() {
    serves_in_front(&HTTPD).await;
}
