//! The client for the management API of a running gateway.

use std::time::Duration;

use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use provider_api::Secret;
use serde_json::Value;
use tokio::net::TcpStream;
use url::Url;

use crate::cli::config_path::ConfigPath;
use crate::cli::exit::Exit;
use crate::cli::out;
use crate::documents::{Documents, Touched};
use crate::server::reachable;

/// The address of a running gateway and the token for it.
#[derive(Debug, Args)]
pub(super) struct ManagementClient {
    #[command(flatten)]
    config: ConfigPath,

    /// The URL of the management API, such as http://127.0.0.1:9090/admin [default: from the configuration]
    #[arg(long, value_name = "URL")]
    url: Option<Url>,

    /// The management token [default: from the configuration]
    #[arg(long, value_name = "TOKEN", env = "HARMONY_MANAGEMENT_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// The maximum size of a response body.
const MAX_BYTES: usize = 4 * 1024 * 1024;

impl ManagementClient {
    /// Sends a request and returns the status and the JSON body of the response.
    ///
    /// # Errors
    /// The exit code, for a gateway that denies access, is unreachable or misses the deadline. The reason is printed.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        deadline: Duration,
    ) -> Result<(StatusCode, Value), Exit> {
        let (url, token) = self.address().map_err(|message| {
            out::error(&message);
            Exit::InvalidConfig
        })?;
        let response = tokio::time::timeout(deadline, send(&url, token.as_ref(), method, path)).await;
        let response =
            response.unwrap_or_else(|_| Err(format!("no response within {} s", deadline.as_secs())));
        let (status, body) = response.map_err(|message| {
            out::error(&format!("{url}: {message}"));
            Exit::NoGateway
        })?;
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            out::error(&format!("{url}: {status}: {}", body["message"].as_str().unwrap_or("no message")));
            return Err(Exit::Denied);
        }
        Ok((status, body))
    }

    /// Returns the URL of the management API and the token. It reads only the sections that it needs, so that `status`
    /// works while the rest of the configuration is invalid.
    ///
    /// # Errors
    /// A message with the reason.
    fn address(&self) -> Result<(Url, Option<Secret>), String> {
        let given = self.token.clone().map(Secret::new);
        if let Some(url) = &self.url {
            return Ok((url.clone(), given));
        }
        let hint = "set --url http://HOST:PORT/admin";
        let path = &self.config.config;
        let loaded = Documents::load(path, None, None, &Touched::Everything);
        let gateway = loaded.documents.fragments().find_map(|fragment| fragment.gateway.as_ref());
        let gateway = gateway.ok_or_else(|| format!("{} cannot be read; {hint}", path.display()))?;
        let management = gateway.management.as_ref();
        let management =
            management.ok_or_else(|| format!("[management] is not enabled in {}", path.display()))?;
        let network = gateway.networks.iter().find(|network| network.name == management.network.value);
        let listen = network.and_then(|network| network.listen.as_ref());
        let listen = listen.ok_or_else(|| format!("the management network has no listen address; {hint}"))?;
        let scheme = if listen.tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/{}", reachable(listen.address.value), management.base_path);
        let url = Url::parse(&url).map_err(|e| e.to_string())?;
        Ok((url, given.or_else(|| management.token.clone())))
    }
}

/// Sends one request to `url` with `path` appended.
///
/// # Errors
/// A message with the reason.
async fn send(
    url: &Url,
    token: Option<&Secret>,
    method: Method,
    path: &str,
) -> Result<(StatusCode, Value), String> {
    if url.scheme() != "http" {
        return Err("this command supports http only; use curl for a network with TLS".to_owned());
    }
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
    let stream =
        TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    let mut request = Request::builder()
        .uri(format!("{}/{path}", url.path().trim_end_matches('/')))
        .header(HOST, format!("{host}:{port}"))
        .header(CONTENT_TYPE, "application/json")
        .method(method);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
    }
    let request = request.body(Empty::<bytes::Bytes>::new()).map_err(|e| e.to_string())?;
    let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
    let status = response.status();
    let body =
        Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(|e| e.to_string())?.to_bytes();
    let body: Value =
        serde_json::from_slice(&body).map_err(|_| format!("{status}; the response is not JSON"))?;
    Ok((status, body))
}
