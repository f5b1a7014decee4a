//! The client for the management API of a running gateway.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use provider_api::{DisplayDuration, Secret};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::cli::api_address::{ApiAddress, ExpectedGateway};
use crate::cli::config_path::ConfigPath;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::state_dir::StateDir;

/// The address of a running gateway and the token for it.
#[derive(Debug, Args)]
pub(super) struct ManagementClient {
    #[command(flatten)]
    config: ConfigPath,

    #[command(flatten)]
    state: StateDir,

    /// The URL of the management API, such as http://127.0.0.1:9090/admin
    ///
    /// The default is the address that the gateway on the configuration serves, which it writes to its state directory;
    /// else the address in the configuration.
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    url: Option<Url>,

    /// The management token [default: from the configuration]
    ///
    /// A gateway on this machine needs none, if it serves its management API on the loopback.
    #[arg(long, value_name = "TOKEN", env = "HARMONY_MANAGEMENT_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// A URL of a management API, as an example.
const EXAMPLE: &str = "http://127.0.0.1:9090/admin";

/// Parses the value of `--url`.
fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{error}; expected a URL such as {EXAMPLE}"))?;
    match url.has_host() {
        true => Ok(url),
        false => Err(format!("it has no host; expected a URL such as {EXAMPLE}")),
    }
}

/// A response of the gateway.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

/// The maximum size of a response body.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The deadline for the connection and for the question which gateway answers.
const HELLO: Duration = Duration::from_secs(5);

impl ManagementClient {
    /// Sends a request to the gateway and returns its response: of the gateway that belongs to the configuration, unless
    /// an address is given.
    ///
    /// # Errors
    /// The failure: no address, no gateway there, another gateway, no access.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        deadline: Duration,
    ) -> Result<Answer, Failure> {
        let token = self.token.clone().filter(|token| !token.trim().is_empty()).map(Secret::new);
        let address = match &self.url {
            Some(url) => ApiAddress::given(url.clone(), token),
            None => ApiAddress::find(&self.config.config, &self.state, token)?,
        };
        call(&address, method, path, deadline).await
    }
}

/// Asks which gateway answers, then sends the request to it.
async fn call(
    address: &ApiAddress,
    method: Method,
    path: &str,
    deadline: Duration,
) -> Result<Answer, Failure> {
    if address.url.scheme() != "http" {
        let failure = failed(Exit::Usage, address, "this command supports http only");
        return Err(failure.help(match address.url.scheme() {
            "https" => format!(
                "for TLS use curl -X {method} --cacert CERTIFICATE -H \"Authorization: Bearer $TOKEN\" {}/{path}",
                address.url
            ),
            _ => format!("give {EXAMPLE}, for example"),
        }));
    }
    let unreachable = |reason: String| {
        let failure = failed(Exit::NoGateway, address, &reason);
        address.remedies.iter().cloned().fold(failure, Failure::help)
    };
    let hello = async {
        let mut connection = Connection::open(address).await?;
        let answer = connection.send(&Method::GET, "config/status").await?;
        Ok((connection, answer))
    };
    let hello: Result<_, String> = timeout(HELLO, hello).await.unwrap_or_else(|_| Err(no_response(HELLO)));
    let (mut connection, answer) = hello.map_err(unreachable)?;
    identify(&answer, address)?;
    let answer = timeout(deadline, connection.send(&method, path)).await;
    let answer = answer.unwrap_or_else(|_| Err(no_response(deadline))).map_err(unreachable)?;
    check_access(&answer, address)?;
    Ok(answer)
}

/// Creates a failure that names the address.
fn failed(exit: Exit, address: &ApiAddress, reason: &str) -> Failure {
    Failure::new(exit, format!("{} ({}): {reason}", address.url, address.origin))
}

fn no_response(deadline: Duration) -> String {
    format!("no response within {}", DisplayDuration(deadline))
}

/// Checks that a response came from the expected gateway.
fn identify(answer: &Answer, address: &ApiAddress) -> Result<(), Failure> {
    check_access(answer, address)?;
    let Answer { status, body } = answer;
    let (Some(config), Some(id)) = (body["config_file_path"].as_str(), body["proxy_id"].as_str()) else {
        let message = body["message"].as_str().map_or_else(String::new, |message| format!(": {message}"));
        let failure =
            failed(Exit::NoGateway, address, &format!("this is not a management API: {status}{message}"));
        return Err(failure.help(
            "another program answers there, or the API has another base path; give the right address with --url",
        ));
    };
    let Some(expected) = &address.expected else { return Ok(()) };
    match is_expected(expected, config, id) {
        true => Ok(()),
        false => {
            let ours = expected.id.as_deref().unwrap_or("unknown");
            let reason = format!("another gateway answers: `{id}`, which serves {config}");
            Err(failed(Exit::NoGateway, address, &reason)
                .help(format!("the gateway of {} is `{ours}`", expected.config.display()))
                .help(format!("give the address of that one with --url, or --config {config}")))
        }
    }
}

/// Returns whether a gateway that serves `config` as `id` is the expected one. In a container the path may be another.
fn is_expected(expected: &ExpectedGateway, config: &str, id: &str) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    expected.id.as_deref() == Some(id) || real(&expected.config) == real(Path::new(config))
}

/// Checks that the gateway did not deny access.
fn check_access(answer: &Answer, address: &ApiAddress) -> Result<(), Failure> {
    let Answer { status, body } = answer;
    if !matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Ok(());
    }
    let message = body["message"].as_str().unwrap_or("no message");
    // The gateway answers `disabled` for an operation that its provider does not have.
    if body["error"] == "disabled" {
        return Err(failed(Exit::NoProvider, address, message));
    }
    let failure = failed(Exit::Denied, address, &format!("{status}: {message}"));
    Err(match (&address.token, *status) {
        (Some(_), StatusCode::UNAUTHORIZED) => failure
            .help("the gateway serves another management.token than this one; give that with --token")
            .help("config.toml has the served one, unless an edit of it was rejected"),
        (None, StatusCode::UNAUTHORIZED) => {
            failure.help("give management.token with --token or HARMONY_MANAGEMENT_TOKEN")
        }
        _ => failure.help("run this command on the machine of the gateway, or configure management.token"),
    })
}

/// A connection to the management API.
struct Connection<'a> {
    address: &'a ApiAddress,
    authority: String,
    sender: SendRequest<Empty<bytes::Bytes>>,
}

impl<'a> Connection<'a> {
    /// Connects.
    ///
    /// # Errors
    /// A message with the reason.
    async fn open(address: &'a ApiAddress) -> Result<Self, String> {
        let url = &address.url;
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
        let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await;
        let stream = stream.map_err(|error| format!("no gateway answers: {error}"))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        Ok(Self { address, authority: format!("{host}:{port}"), sender })
    }

    /// Sends a request for `path` below the URL and returns the response.
    ///
    /// # Errors
    /// A message with the reason.
    async fn send(&mut self, method: &Method, path: &str) -> Result<Answer, String> {
        let mut request = Request::builder()
            .uri(format!("{}/{path}", self.address.url.path().trim_end_matches('/')))
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json")
            .method(method);
        if let Some(token) = &self.address.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let request = request.body(Empty::new()).map_err(|error| error.to_string())?;
        let failed = |error: hyper::Error| match error.is_parse() {
            true => format!("the answer is not HTTP ({error}): another program listens there"),
            false => format!("the connection failed: {error}"),
        };
        self.sender.ready().await.map_err(failed)?;
        let response = self.sender.send_request(request).await.map_err(failed)?;
        let status = response.status();
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or("no content type").to_owned();
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|error| format!("the response is incomplete: {error}"))?.to_bytes();
        let body = serde_json::from_slice(&body).map_err(|_| {
            format!("{status}, {kind}: the answer is not JSON: another program listens there")
        })?;
        Ok(Answer { status, body })
    }
}
