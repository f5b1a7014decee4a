//! The commands that call a running control plane.

use harmony_tests::client;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::arguments::Command;

/// Executes a command at a running control plane and returns its output.
pub(crate) async fn run(command: &Command) -> Result<String, String> {
    match command {
        Command::Token { team, sanctum, url } => token(url, team, *sanctum).await,
        Command::Authorize { team, code, url } => {
            let user = token(url, team, false).await?;
            let request = client().post(format!("{}/harmony/authorize", base(url))).bearer_auth(&user);
            let answer = send(request.json(&json!({ "token": user, "gateway_code": code }))).await?;
            let machine = json!({
                "machine_token": answer["machine_token"],
                "expires_at": answer["expires_at"],
                "gateway_id": answer["gateway"]["id"],
                "gateway_code": answer["gateway"]["code"],
                "abilities": answer["abilities"],
            });
            Ok(machine.to_string())
        }
    }
}

async fn token(url: &str, team: &str, sanctum: bool) -> Result<String, String> {
    let request = client().post(format!("{}/dev/tokens", base(url)));
    let answer = send(request.json(&json!({ "team": team, "sanctum": sanctum }))).await?;
    answer["token"].as_str().map(str::to_owned).ok_or_else(|| "the response has no token".to_owned())
}

fn base(url: &str) -> &str {
    url.trim_end_matches('/')
}

async fn send(request: RequestBuilder) -> Result<Value, String> {
    let answer =
        request.send().await.map_err(|error| format!("is a control plane running there? {error}"))?;
    let status = answer.status();
    let body: Value = answer.json().await.map_err(|_| format!("{status}: the response is not JSON"))?;
    match status.is_success() {
        true => Ok(body),
        false => Err(body["message"].as_str().map_or_else(|| status.to_string(), str::to_owned)),
    }
}
