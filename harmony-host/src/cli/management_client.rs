//! The client for the management API of a running gateway.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use provider_api::{DisplayDuration, Registry, Secret};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use crate::cli::api_address::{ApiAddress, ExpectedGateway, Trust, is_stopped};
use crate::cli::config_path::ConfigPath;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::state_dir::StateDir;
use crate::gateway::{CHALLENGE, Challenge};
use crate::host::HostOptions;
use crate::management::MANAGEMENT_TOKEN;

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
    /// A gateway on this machine needs none, if it serves its management API on the loopback. Without --url the token is
    /// sent only to a program that proves that it knows it.
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

/// A call of the management API.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// The path below the base path.
    pub(super) path: &'a str,
    /// The deadline for the response.
    pub(super) deadline: Duration,
    /// The body, in JSON.
    pub(super) body: Option<String>,
    /// The token of a user at the control plane. It is the bearer token then, and management.token has a header of its own.
    pub(super) user_token: Option<Secret>,
}

impl<'a> Call<'a> {
    /// Creates a call without a body.
    fn read(path: &'a str) -> Self {
        Self { method: Method::GET, path, deadline: HELLO, body: None, user_token: None }
    }
}

/// A response of the gateway.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    headers: HeaderMap,
}

/// The maximum size of a response body.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The deadline for the connection and for the question which gateway answers.
const HELLO: Duration = Duration::from_secs(5);

impl ManagementClient {
    /// Returns the path of config.toml.
    pub(super) fn config(&self) -> &Path {
        &self.config.config
    }

    /// Returns the options of a host on the same configuration and state directory.
    pub(super) fn options(&self, registry: Registry) -> HostOptions {
        self.state.options(&self.config.config, registry)
    }

    /// Returns whether no gateway runs on the configuration, and no other address is given.
    pub(super) fn is_stopped(&self) -> bool {
        self.url.is_none() && is_stopped(&self.config.config, &self.state)
    }

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
        self.send(Call { method, path, deadline, body: None, user_token: None }).await
    }

    /// Posts JSON to the gateway, as [`request`](Self::request) does without a body.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub(super) async fn post(&self, path: &str, body: &Value, deadline: Duration) -> Result<Answer, Failure> {
        let body = Some(body.to_string());
        self.send(Call { method: Method::POST, path, deadline, body, user_token: None }).await
    }

    /// Sends a call to the gateway.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub(super) async fn send(&self, to_send: Call<'_>) -> Result<Answer, Failure> {
        let token = self.token.clone().filter(|token| !token.trim().is_empty()).map(Secret::new);
        let address = match &self.url {
            Some(url) => ApiAddress::given(url.clone(), token),
            None => ApiAddress::find(&self.config.config, &self.state, token)?,
        };
        call(&address, to_send).await
    }
}

/// Asks which gateway answers, then sends the request to it.
async fn call(address: &ApiAddress, to_send: Call<'_>) -> Result<Answer, Failure> {
    let Call { method, path, deadline, .. } = &to_send;
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
        let (answer, is_proven) = connection.greet().await?;
        Ok((connection, answer, is_proven))
    };
    let hello: Result<_, String> = timeout(HELLO, hello).await.unwrap_or_else(|_| Err(no_response(HELLO)));
    let (mut connection, answer, is_proven) = hello.map_err(unreachable)?;
    if address.trust == Trust::Configured && !is_proven && !is_other_gateway(&answer, address) {
        return Err(unreachable(unproven(&answer, address)));
    }
    identify(&answer, address, connection.sends_token)?;
    // The call may need both tokens. A program that knows this one already may get it.
    if is_proven && to_send.user_token.is_some() {
        connection.sends_token = true;
    }
    let answer = timeout(*deadline, connection.send_with(&to_send, None)).await;
    let answer = answer.unwrap_or_else(|_| Err(no_response(*deadline))).map_err(unreachable)?;
    check_access(&answer, address, connection.sends_token)?;
    Ok(answer)
}

/// Creates a failure that names the address.
fn failed(exit: Exit, address: &ApiAddress, reason: &str) -> Failure {
    Failure::new(exit, format!("{} ({}): {reason}", address.url, address.origin))
}

fn no_response(deadline: Duration) -> String {
    format!("no response within {}", DisplayDuration(deadline))
}

/// Returns the configuration and the id of the gateway that answers; `None` for another program.
fn identity(answer: &Answer) -> Option<(&str, &str)> {
    Some((answer.body["config_file_path"].as_str()?, answer.body["proxy_id"].as_str()?))
}

/// Returns whether a response says that it is from a gateway on another configuration.
fn is_other_gateway(answer: &Answer, address: &ApiAddress) -> bool {
    let expected = address.expected.as_ref();
    identity(answer).zip(expected).is_some_and(|((config, _), expected)| !is_expected(expected, config))
}

/// Returns why the program at a configured address is not taken for the gateway of the configuration.
fn unproven(answer: &Answer, address: &ApiAddress) -> String {
    let config = address.expected.as_ref().map(|expected| expected.config.display().to_string());
    let what = match (identity(answer), &address.token) {
        (_, Some(_)) => "and does not prove that it knows management.token, so the token was not sent",
        (Some(_), None) => "as its gateway would, which nothing proves: no management.token is configured",
        (None, None) => "not as its gateway would",
    };
    let config = config.unwrap_or_default();
    format!("no gateway of {config} is known to run: a program answers {}, {what}", answer.status)
}

/// Checks that a response came from the expected gateway.
fn identify(answer: &Answer, address: &ApiAddress, sent_token: bool) -> Result<(), Failure> {
    check_access(answer, address, sent_token)?;
    let Answer { status, body, .. } = answer;
    let Some((config, id)) = identity(answer) else {
        let message = body["message"].as_str().map_or_else(String::new, |message| format!(": {message}"));
        let failure =
            failed(Exit::NoGateway, address, &format!("this is not a management API: {status}{message}"));
        return Err(failure.help(
            "another program answers there, or the API has another base path; give the right address with --url",
        ));
    };
    let Some(expected) = &address.expected else { return Ok(()) };
    match is_expected(expected, config) {
        true => Ok(()),
        false => {
            let (ours, file) = (expected.id.as_deref().unwrap_or("unknown"), expected.config.display());
            let reason = format!("another gateway answers: `{id}`, which serves {config}, not {file}");
            Err(failed(Exit::NoGateway, address, &reason)
                .help(format!("the gateway of {file} is `{ours}`"))
                .help(format!(
                    "give the address of that one with --url, or --config {config}; in a container the path of the same file may be another"
                )))
        }
    }
}

/// Returns whether a gateway that serves `config` is the expected one. The id tells nothing: a copy of a configuration has
/// it too.
fn is_expected(expected: &ExpectedGateway, config: &str) -> bool {
    real(&expected.config) == real(Path::new(config))
}

/// Returns the path without links, also of a file that is missing.
fn real(path: &Path) -> PathBuf {
    let in_directory = || Some(std::fs::canonicalize(path.parent()?).ok()?.join(path.file_name()?));
    std::fs::canonicalize(path).ok().or_else(in_directory).unwrap_or_else(|| path.to_owned())
}

/// Checks that the gateway did not deny access.
fn check_access(answer: &Answer, address: &ApiAddress, sent_token: bool) -> Result<(), Failure> {
    let Answer { status, body, .. } = answer;
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
        (Some(_), StatusCode::UNAUTHORIZED) => {
            let failure = match sent_token {
                true => failure,
                false => {
                    failure.help("the token was not sent, because the gateway did not prove that it knows it")
                }
            };
            failure
                .help("the gateway serves another management.token than this one; give that with --token")
                .help("config.toml has the served one, unless an edit of it was rejected")
        }
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
    sender: SendRequest<Full<Bytes>>,
    /// Set when the requests carry the token.
    sends_token: bool,
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
        let sends_token = address.trust == Trust::Given && address.token.is_some();
        Ok(Self { address, authority: format!("{host}:{port}"), sender, sends_token })
    }

    /// Asks which gateway answers. Without an address from the operator the first request has a challenge and no token: a
    /// peer on the loopback needs none, and another program must not get it. Returns also whether the program has
    /// proved that it knows the token. Then the further requests carry it, if the program asks for it.
    ///
    /// # Errors
    /// A message with the reason.
    async fn greet(&mut self) -> Result<(Answer, bool), String> {
        let question = Call::read("config/status");
        let Some(token) = self.address.token.as_ref().filter(|_| !self.sends_token) else {
            return Ok((self.send_with(&question, None).await?, false));
        };
        let challenge = Challenge::new()?;
        let answer = self.send_with(&question, Some(&challenge)).await?;
        let is_proven = challenge.is_met(&answer.headers, token, &self.address.url);
        if !is_proven || answer.status != StatusCode::UNAUTHORIZED {
            return Ok((answer, is_proven));
        }
        self.sends_token = true;
        Ok((self.send_with(&question, None).await?, true))
    }

    /// Sends a call and returns the response.
    ///
    /// # Errors
    /// A message with the reason.
    async fn send_with(&mut self, call: &Call<'_>, challenge: Option<&Challenge>) -> Result<Answer, String> {
        let Call { method, path, body, user_token, .. } = call;
        let mut request = Request::builder()
            .uri(format!("{}/{path}", self.address.url.path().trim_end_matches('/')))
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json")
            .method(method);
        if let Some(challenge) = challenge {
            request = request.header(CHALLENGE, challenge.as_str());
        }
        let own = self.address.token.as_ref().filter(|_| self.sends_token);
        let secret = |token: &Secret, scheme: &str| {
            let value = HeaderValue::try_from(format!("{scheme}{}", token.expose()));
            value.map_err(|_| "the token has characters that no header can have".to_owned())
        };
        if let Some(token) = user_token.as_ref().or(own) {
            request = request.header(AUTHORIZATION, secret(token, "Bearer ")?);
        }
        if let (Some(_), Some(token)) = (user_token, own) {
            request = request.header(MANAGEMENT_TOKEN, secret(token, "")?);
        }
        let body = Full::from(body.clone().unwrap_or_default());
        let request = request.body(body).map_err(|error| error.to_string())?;
        let failed = |error: hyper::Error| match error.is_parse() {
            true => format!("the answer is not HTTP ({error}): another program listens there"),
            false => format!("the connection failed: {error}"),
        };
        self.sender.ready().await.map_err(failed)?;
        let response = self.sender.send_request(request).await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or("no content type").to_owned();
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|error| format!("the response is incomplete: {error}"))?.to_bytes();
        let body = serde_json::from_slice(&body).map_err(|_| {
            format!("{status}, {kind}: the answer is not JSON: another program listens there")
        })?;
        Ok(Answer { status, body, headers })
    }
}
