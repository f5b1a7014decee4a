//! Asking a running gateway over its management API.

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
use crate::cli::out;
use crate::documents::{Documents, Touched};
use crate::server::reachable;

/// Which gateway is asked, and with what right.
#[derive(Debug, Args)]
pub(super) struct Gateway {
    #[command(flatten)]
    config: ConfigPath,

    /// The management API, such as http://127.0.0.1:9090/admin; found in the configuration when not given
    #[arg(long, value_name = "URL")]
    url: Option<Url>,

    /// The management token; taken from the configuration when not given
    #[arg(long, value_name = "TOKEN", env = "HARMONY_MANAGEMENT_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The exit codes of a gateway that refuses, and of one that cannot be asked.
pub(super) const REFUSED: u8 = 4;
pub(super) const UNREACHABLE: u8 = 5;

impl Gateway {
    /// Its answer to `method` of `path`, when it comes within `limit`: the status, and JSON.
    ///
    /// # Errors
    /// The exit code; why was printed.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        limit: Duration,
    ) -> Result<(StatusCode, Value), u8> {
        let (url, token) = self.place().map_err(|message| {
            out::error(&message);
            1
        })?;
        let asked = tokio::time::timeout(limit, exchange(&url, token.as_ref(), method, path)).await;
        let answer = asked.unwrap_or_else(|_| Err(format!("no answer within {} s", limit.as_secs())));
        let (status, answer) = answer.map_err(|message| {
            out::error(&format!("{url}: {message}"));
            UNREACHABLE
        })?;
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            out::error(&format!("{url}: {status}: {}", answer["message"].as_str().unwrap_or("no message")));
            return Err(REFUSED);
        }
        Ok((status, answer))
    }

    /// Where the gateway of this configuration answers. Reads only what is needed, so that it works while the
    /// rest of the configuration is wrong.
    fn place(&self) -> Result<(Url, Option<Secret>), String> {
        let given = self.token.clone().map(Secret::new);
        if let Some(url) = &self.url {
            return Ok((url.clone(), given));
        }
        let hint = "give --url http://HOST:PORT/admin";
        let path = &self.config.config;
        let loaded = Documents::load(path, None, None, &Touched::Everything);
        let gateway = loaded.documents.fragments().find_map(|fragment| fragment.gateway.as_ref());
        let gateway = gateway.ok_or_else(|| format!("{} cannot be read; {hint}", path.display()))?;
        let management = gateway.management.as_ref();
        let management =
            management.ok_or_else(|| format!("[management] is not enabled in {}", path.display()))?;
        let network = gateway.networks.iter().find(|network| network.name == management.network.value);
        let listen = network.and_then(|network| network.listen.as_ref());
        let listen = listen.ok_or_else(|| format!("the management network has no address; {hint}"))?;
        let scheme = if listen.tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/{}", reachable(listen.address.value), management.base_path);
        let url = Url::parse(&url).map_err(|e| e.to_string())?;
        Ok((url, given.or_else(|| management.token.clone())))
    }
}

async fn exchange(
    url: &Url,
    token: Option<&Secret>,
    method: Method,
    path: &str,
) -> Result<(StatusCode, Value), String> {
    if url.scheme() != "http" {
        return Err("this command speaks http only; for a TLS network ask with curl".to_owned());
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
    let answer: Value = serde_json::from_slice(&body).map_err(|_| format!("{status}, and no JSON"))?;
    Ok((status, answer))
}
