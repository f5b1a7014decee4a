//! Apache Tomcat as a backend: the server below many applications of hospitals, which closes a connection after some requests
//! and speaks HTTP/2 with TLS.
//!
//! A machine without it leaves it out, with a note. With `HARMONY_TEST_SERVERS` set, as in CI, that is a failure.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use harmony_tests::{Identity, free_port};
use reqwest::StatusCode;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::servers::before;

/// The directory of the programs.
const HOME: &str = "/usr/share/tomcat10";

/// The settings of applications that come with it.
const WEB: &str = "/etc/tomcat10/web.xml";

const SERVER: &str = r#"<Server port="-1"><Service name="Catalina">
  <Connector port="PLAIN" address="127.0.0.1" protocol="org.apache.coyote.http11.Http11NioProtocol" maxKeepAliveRequests="7"/>
  <Connector port="TLS" address="127.0.0.1" protocol="org.apache.coyote.http11.Http11NioProtocol" SSLEnabled="true"
      scheme="https" secure="true">
    <UpgradeProtocol className="org.apache.coyote.http2.Http2Protocol" maxConcurrentStreams="5"/>
    <SSLHostConfig><Certificate certificateFile="DIR/cert.pem" certificateKeyFile="DIR/key.pem" type="EC"/></SSLHostConfig>
  </Connector>
  <Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps" autoDeploy="false"/></Engine>
</Service></Server>"#;

/// A page that answers with the protocol and the length of the request body.
const PAGE: &str = r#"<%@ page contentType="text/plain" trimDirectiveWhitespaces="true" %><%
int length = 0;
byte[] part = new byte[8192];
for (int n; (n = request.getInputStream().read(part)) > 0;) length += n;
out.print(request.getProtocol() + " " + length);
%>"#;

/// A running server with its files. Ends when it is dropped.
struct Tomcat {
    child: Child,
    _dir: TempDir,
}

impl Tomcat {
    /// Starts it on these ports.
    async fn start(identity: &Identity, [plain, tls]: [u16; 2]) -> Self {
        let dir = TempDir::new().unwrap();
        let path = dir.path().to_str().unwrap();
        let server = SERVER.replace("PLAIN", &plain.to_string()).replace("TLS", &tls.to_string());
        for (name, text) in [
            ("conf/server.xml", server.replace("DIR", path)),
            ("conf/web.xml", fs::read_to_string(WEB).unwrap()),
            ("webapps/ROOT/length.jsp", PAGE.to_owned()),
            ("temp/none", String::new()),
            ("logs/none", String::new()),
            ("cert.pem", identity.cert.clone()),
            ("key.pem", identity.key.clone()),
        ] {
            let file = dir.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let mut command = Command::new(format!("{HOME}/bin/catalina.sh"));
        command.arg("run").env("CATALINA_HOME", HOME).env("CATALINA_BASE", dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut tomcat = Self { child: command.spawn().expect("it starts"), _dir: dir };
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", tls)).await.is_ok() {
                return tomcat;
            }
            assert!(tomcat.child.try_wait().unwrap().is_none(), "Tomcat has ended");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("Tomcat does not listen");
    }
}

impl Drop for Tomcat {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// Requests of several kinds at a time, more than it serves on one connection.
#[tokio::test]
async fn tomcat_serves_as_backend() {
    let is_installed = Path::new(HOME).is_dir() && Path::new(WEB).is_file();
    assert!(is_installed || std::env::var_os("HARMONY_TEST_SERVERS").is_none(), "Tomcat is not installed");
    if !is_installed {
        return eprintln!("left out: Tomcat is not installed");
    }
    let (identity, ports) = (Identity::new(), [free_port(), free_port()]);
    let _tomcat = Tomcat::start(&identity, ports).await;
    let site = before(&identity, ports).await;
    let client = harmony_tests::client();
    for (prefix, protocol) in [("/plain", "HTTP/1.1"), ("/tls", "HTTP/2.0")] {
        let url = site.url(&format!("{prefix}/length.jsp"));
        join_all((0..60).map(async |n: usize| {
            let (request, length) = match n % 3 {
                0 => (client.get(&url), 0),
                1 => (client.post(&url).body("a".repeat(n * 100)), n * 100),
                _ => (client.head(&url), 0),
            };
            let answer = request.send().await.unwrap();
            let status = answer.status();
            let text = answer.text().await.unwrap();
            assert_eq!(status, StatusCode::OK, "{prefix} {n}: {text}");
            assert!(n % 3 == 2 || text == format!("{protocol} {length}"), "{prefix} {n}: {text}");
        }))
        .await;
    }
}
