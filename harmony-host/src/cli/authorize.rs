//! `harmony-host authorize`: a user authorizes a running gateway at its control plane.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use http::Method;
use provider_api::{DisplayDuration, ErrorKind, Secret};
use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::management_client::{Call, ManagementClient};
use crate::cli::out;
use crate::cli::pause::finish;
use crate::cli::screen::text;
use crate::diagnostics::escape::escape;
use crate::providers::log_in;

/// The arguments of `authorize`.
#[derive(Debug, Args)]
pub(super) struct Authorize {
    #[command(flatten)]
    gateway: ManagementClient,

    /// The file with the token of a user; `-` reads standard input [default: a login in the browser]
    #[arg(long, value_name = "PATH")]
    user_token_file: Option<PathBuf>,

    /// The code of the gateway at the control plane [default: `id` in [proxy]]
    #[arg(long, value_name = "CODE")]
    code: Option<String>,

    /// Replace the identity of a gateway that is authorized as another one; takes the management token
    #[arg(long)]
    replace: bool,

    /// Print the JSON of the gateway instead of text
    #[arg(long)]
    json: bool,
}

/// The deadline for the gateway, which asks the control plane.
const DEADLINE: Duration = Duration::from_secs(150);

/// The deadline for the question which control plane the gateway has.
const QUESTION: Duration = Duration::from_secs(5);

/// The maximum size of a token of a user, in bytes.
const MAX_TOKEN: u64 = 64 * 1024;

impl Authorize {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self) -> Exit {
        let user_token = match self.user_token().await {
            Ok(token) => token,
            Err(failure) => return failure.print(),
        };
        let body = json!({ "gateway_code": self.code, "replace": self.replace });
        let call = Call {
            method: Method::POST,
            path: "authorize",
            deadline: DEADLINE,
            body: Some(body.to_string()),
            user_token: Some(user_token),
        };
        finish(self.gateway.send(call).await, self.json, Exit::NoProvider, |answer, screen| {
            screen.line(text(&answer["message"]));
            let gateway = &answer["gateway"];
            let (id, code) = (text(&gateway["id"]), text(&gateway["code"]));
            screen.line(&format!("gateway {code} ({id}), until {}", text(&answer["expires_at"])));
        })
    }

    /// Returns the token of a user: of the file, or of a login.
    async fn user_token(&self) -> Result<Secret, Failure> {
        match &self.user_token_file {
            Some(file) => {
                let file = file.clone();
                let read = tokio::task::spawn_blocking(move || read_token(&file)).await;
                read.unwrap_or_else(|_| Err(Failure::new(Exit::Machine, "the token cannot be read")))
            }
            None => self.log_in().await,
        }
    }

    /// Lets a user log in with a browser.
    async fn log_in(&self) -> Result<Secret, Failure> {
        let answer = self.gateway.request(Method::GET, "provider", QUESTION).await?.body;
        let provider = &answer["provider"];
        let abilities = provider["abilities"].as_array().into_iter().flatten();
        if !abilities.filter_map(Value::as_str).any(|ability| ability == "enroll") {
            let reason =
                format!("the provider `{}` of the gateway needs no authorization", text(&provider["name"]));
            return Err(Failure::new(Exit::NoProvider, reason));
        }
        let no_login = || {
            let reason = format!("there is no login for the provider `{}`", text(&provider["name"]));
            Failure::new(Exit::NoProvider, reason).help("give the token of a user with --user-token-file")
        };
        let address = provider["address"].as_str().ok_or_else(no_login)?;
        let failed = |error: provider_api::Error| {
            let exit = match error.kind() {
                ErrorKind::Denied => Exit::Denied,
                _ => Exit::NoProvider,
            };
            let failure = Failure::new(exit, error.to_string());
            failure.help("or give the token of a user with --user-token-file")
        };
        let login = log_in(text(&provider["type"]), address).await.ok_or_else(no_login)?.map_err(failed)?;
        let (url, time) = (escape(&login.verification_url), DisplayDuration(login.time));
        out::eprint(&format!(
            "Open this address in a browser and approve the login, within {time}:\n\n  {url}\n\n"
        ));
        login.token.await.map_err(failed)
    }
}

/// Reads the token of a user. Blocks on I/O.
fn read_token(file: &Path) -> Result<Secret, Failure> {
    let is_standard = file == Path::new("-");
    let source: std::io::Result<Box<dyn std::io::Read>> = match is_standard {
        true => Ok(Box::new(std::io::stdin())),
        false => std::fs::File::open(file).map(|file| Box::new(file) as Box<dyn std::io::Read>),
    };
    let mut read = String::new();
    let done = source.and_then(|source| source.take(MAX_TOKEN + 1).read_to_string(&mut read));
    let name = if is_standard { "standard input".to_owned() } else { file.display().to_string() };
    let failed = |reason: &str| Err(Failure::new(Exit::Usage, format!("--user-token-file: {name} {reason}")));
    match done {
        Err(error) => failed(&format!("cannot be read: {error}")),
        Ok(_) if read.len() as u64 > MAX_TOKEN => failed("is larger than 64 KiB; it is not a token"),
        Ok(_) if read.trim().is_empty() => failed("is empty"),
        Ok(_) => Ok(Secret::new(read.trim())),
    }
}
