use std::time::Duration;

use clap::Args;
use http::header::{AUTHORIZATION, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use provider_api::Secret;
use serde_json::Value;
use tokio::net::TcpStream;
use url::Url;

use crate::cli::{ConfigPath, out};
use crate::documents::{Documents, Touched};
use crate::probe::reachable;

#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    config: ConfigPath,

    /// The management API, such as http://127.0.0.1:9090/admin; found in the configuration when not given
    #[arg(long, value_name = "URL")]
    url: Option<Url>,

    /// The management token; taken from the configuration when not given
    #[arg(long, value_name = "TOKEN", env = "HARMONY_MANAGEMENT_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// Print the gateway's own JSON instead of text
    #[arg(long)]
    json: bool,
}

const LIMIT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 4 * 1024 * 1024;

impl Status {
    pub(super) async fn run(self) -> u8 {
        let (url, token) = match self.place() {
            Ok(place) => place,
            Err(message) => {
                out::error(&message);
                return 1;
            }
        };
        let asked = tokio::time::timeout(LIMIT, ask(&url, token.as_ref())).await;
        let answer = match asked
            .unwrap_or_else(|_| Err((UNREACHABLE, format!("no answer within {} s", LIMIT.as_secs()))))
        {
            Ok(answer) => answer,
            Err((code, message)) => {
                out::error(&format!("{url}: {message}"));
                return code;
            }
        };
        let in_sync = answer["in_sync"].as_bool().unwrap_or(false);
        out::print(&if self.json { format!("{answer:#}\n") } else { screen(&answer) });
        u8::from(!in_sync)
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

/// The exit codes of a gateway that refuses, and of one that cannot be asked.
const REFUSED: u8 = 4;
const UNREACHABLE: u8 = 5;

async fn ask(url: &Url, token: Option<&Secret>) -> Result<Value, (u8, String)> {
    let (status, answer) = exchange(url, token).await.map_err(|message| (UNREACHABLE, message))?;
    let message = || format!("{status}: {}", answer["message"].as_str().unwrap_or("no message"));
    match status {
        StatusCode::OK => Ok(answer),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err((REFUSED, message())),
        _ => Err((UNREACHABLE, message())),
    }
}

async fn exchange(url: &Url, token: Option<&Secret>) -> Result<(StatusCode, Value), String> {
    if url.scheme() != "http" {
        return Err("this command speaks http only; for a TLS network ask with curl".to_owned());
    }
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
    let stream =
        TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    let mut request = Request::get(format!("{}/provider", url.path().trim_end_matches('/')))
        .header(HOST, format!("{host}:{port}"));
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

/// One screen that answers: is it in sync, and if not, why.
fn screen(answer: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let short = |value: &Value| {
        value.as_str().map_or_else(|| "-".to_owned(), |digest| digest.chars().take(12).collect())
    };
    let provider = &answer["provider"];
    let abilities: Vec<&str> =
        provider["abilities"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let verdict = if answer["in_sync"].as_bool() == Some(true) { "in sync" } else { "NOT in sync" };
    let mut screen = format!("{verdict}\n");
    if let Some(reason) = answer["reason"].as_str() {
        screen.push_str(&format!("  because    {reason}\n"));
    }
    let (effective, attempted, desired) = (&answer["effective"], &answer["attempted"], &answer["desired"]);
    let rows = [
        (
            "provider",
            format!(
                "{} (type {}; polling {})",
                text(&provider["name"]),
                text(&provider["type"]),
                text(&provider["polling"])
            ),
        ),
        ("abilities", abilities.join(", ")),
        (
            "served",
            format!(
                "generation {} of {} since {}",
                effective["generation"],
                short(&effective["digest"]),
                text(&effective["since"])
            ),
        ),
        (
            "tried",
            format!(
                "{} {} at {}",
                short(&attempted["digest"]),
                text(&attempted["verdict"]),
                text(&attempted["at"])
            ),
        ),
        ("files", format!("{} read at {}", short(&desired["digest"]), text(&desired["read_at"]))),
    ];
    for (name, value) in rows {
        screen.push_str(&format!("  {name:<10} {value}\n"));
    }
    for (title, problems) in [("problem", &attempted["problems"]), ("warning", &effective["warnings"])] {
        for problem in problems.as_array().into_iter().flatten() {
            let place = match (problem["file"].as_str(), problem["line"].as_u64()) {
                (Some(file), Some(line)) => format!("{file}:{line}: "),
                _ => String::new(),
            };
            screen.push_str(&format!(
                "  {title:<10} {place}{}: {}\n",
                text(&problem["key"]),
                text(&problem["message"])
            ));
        }
    }
    screen
}
