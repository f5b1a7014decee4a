//! `harmony-host explain`: where a URL leads, what a reference is, what sets a key.

use std::time::Duration;

use clap::Args;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::management_client::{Answer, ManagementClient};
use crate::cli::out;
use crate::cli::screen::{Screen, text};

/// The arguments of `explain`.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A URL, a path, a key, a definition such as pipelines.hello, or a reference
    what: String,

    #[command(flatten)]
    gateway: ManagementClient,

    /// Print the JSON of the gateway instead of text
    #[arg(long)]
    json: bool,
}

/// The deadline for the response.
const DEADLINE: Duration = Duration::from_secs(30);

impl Explain {
    /// Runs the command and returns the exit code.
    pub(super) async fn run(self) -> Exit {
        let query =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("what", &self.what).finish();
        let answer = self.gateway.request(Method::GET, &format!("explain?{query}"), DEADLINE).await;
        let Answer { status, body, .. } = match answer {
            Ok(answer) => answer,
            Err(failure) => return failure.print(),
        };
        if status.is_success() && body["what"].is_string() {
            match self.json {
                true => out::json(&body),
                false => out::print(&screen(&body)),
            }
            return Exit::Done;
        }
        refusal(status, &body).print()
    }
}

/// Returns the failure for a refusal by the gateway.
fn refusal(status: StatusCode, body: &Value) -> Failure {
    let is_refusal = body["suggestions"].is_array();
    let exit = match status {
        StatusCode::NOT_FOUND if is_refusal => Exit::NotFound,
        StatusCode::BAD_REQUEST => Exit::Usage,
        _ => Exit::NoGateway,
    };
    let message =
        body["message"].as_str().unwrap_or("the answer explains nothing: is the gateway an older version?");
    let failure = Failure::new(exit, message);
    let names: Vec<&str> = strings(&body["suggestions"]).collect();
    match names.as_slice() {
        [] => failure,
        names => failure.help(format!("did you mean {}?", names.join(", "))),
    }
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Returns an explanation as text.
fn screen(answer: &Value) -> String {
    let mut screen = Screen::default();
    match answer["what"].as_str() {
        Some("url") => url(answer, &mut screen),
        Some("reference") => reference(answer, &mut screen),
        Some("key") => key(answer, &mut screen),
        _ => definition(answer, &mut screen),
    }
    screen.finish()
}

fn url(answer: &Value, screen: &mut Screen) {
    screen.line(&format!("{} in generation {}", text(&answer["asked"]), answer["generation"]));
    if let Some(note) = answer["note"].as_str() {
        screen.row("note", note);
    }
    for network in answer["networks"].as_array().into_iter().flatten() {
        let listener = network["listener"].as_str().map_or_else(String::new, |at| format!(" ({at})"));
        let status = network["status"].as_u64().map_or_else(String::new, |status| format!("{status}, "));
        screen.line(&format!(
            "network {}{listener}: {status}{}",
            text(&network["network"]),
            text(&network["in_words"])
        ));
        if network["route"].is_object() {
            route(&network["route"], screen);
        }
        for other in network["others"].as_array().into_iter().flatten() {
            let (prefix, pipeline) = (text(&other["prefix"]), text(&other["pipeline"]));
            screen.row("not", &format!("{prefix} (pipeline {pipeline}): {}", text(&other["why_not"])));
        }
        if let Some(more) = network["others_left_out"].as_u64().filter(|more| *more > 0) {
            screen.row("not", &format!("{more} more"));
        }
    }
}

fn route(route: &Value, screen: &mut Screen) {
    screen.row("route", text(&route["prefix"]));
    let service = route["service"].as_str().map_or_else(String::new, |service| format!(" ({service})"));
    screen.row("endpoint", &format!("{}{service}", text(&route["endpoint"])));
    if let Some(ingress) = route["ingress"].as_str() {
        screen.row("ingress", ingress);
    }
    let admission = &route["admission"];
    screen.row("admission", text(&admission["in_words"]));
    for token in admission["tokens"].as_array().into_iter().flatten() {
        let urls: Vec<&str> = strings(&token["for_urls"]).collect();
        let urls = if urls.is_empty() { String::new() } else { format!(", for {}", urls.join(" or ")) };
        screen.row("token", &format!("mesh {}, {}{urls}", text(&token["mesh"]), text(&token["kind"])));
    }
    let leads_to = &route["leads_to"];
    screen.row("leads to", text(&leads_to["in_words"]));
    if leads_to["reference"].is_object() {
        state_of_reference(&leads_to["reference"], screen);
    }
    let meshes: Vec<&str> = strings(&leads_to["adds_token_of"]).collect();
    if !meshes.is_empty() {
        screen.row("adds", &format!("a token of mesh {}, for its members", meshes.join(" or ")));
    }
    for origin in route["defined"].as_array().into_iter().flatten() {
        screen.row("defined", &origin_in_words(origin));
    }
}

/// Returns the origin of a part: `pipeline hello: pipelines/hello.toml:1, by the operator`.
fn origin_in_words(origin: &Value) -> String {
    let mut words = format!("{}: {}:{}", text(&origin["part"]), text(&origin["file"]), origin["line"]);
    if let Some(overlay) = origin["overlay"].as_str() {
        words.push_str(&format!(" (from the overlay, {overlay})"));
    }
    words.push_str(match origin["by"].as_str() {
        Some("operator") => ", by the operator",
        Some("control plane") => ", by the control plane",
        _ => ", by an unknown author",
    });
    if let Some(change) = origin["change"].as_str() {
        words.push_str(&format!(", change {change}"));
    }
    if origin["edited_since"] == true {
        words.push_str(", edited since");
    }
    words
}

fn reference(answer: &Value, screen: &mut Screen) {
    screen.line(text(&answer["reference"]));
    screen.row("provider", text(&answer["provider"]));
    let resource = &answer["resource"];
    if resource.is_object() {
        let disabled = if resource["enabled"] == false { ", disabled" } else { "" };
        screen.row("resource", &format!("{} {}{disabled}", text(&resource["kind"]), text(&resource["name"])));
    }
    state_of_reference(answer, screen);
    for user in strings(&answer["used_by"]) {
        screen.row("used by", user);
    }
    if let Some(more) = answer["used_by_left_out"].as_u64().filter(|more| *more > 0) {
        screen.row("used by", &format!("{more} more"));
    }
}

fn state_of_reference(reference: &Value, screen: &mut Screen) {
    screen.row("state", &format!("{}: {}", text(&reference["state"]), text(&reference["in_words"])));
    strings(&reference["urls"]).for_each(|url| screen.row("url", url));
    if let Some(mode) = reference["mode"].as_str() {
        screen.row("mode", mode);
    }
    let cached = &reference["cached"];
    if cached.is_object() {
        let (since, until) = (text(&cached["since"]), text(&cached["usable_until"]));
        screen.row(
            "cached",
            &format!("since {since} ({} s); without the provider until {until}", cached["age_secs"]),
        );
    }
}

fn key(answer: &Value, screen: &mut Screen) {
    let value = match (answer["set"] == true, answer["hidden"] == true, answer["value"].as_str()) {
        (true, false, Some(value)) => value.to_owned(),
        (true, _, _) => "set; the value is not shown, since it may be a secret".to_owned(),
        (false, ..) => "not set; the default counts".to_owned(),
    };
    screen.line(&format!("{} in generation {}", text(&answer["key"]), answer["generation"]));
    screen.row("value", &value);
    let rows = [
        ("counts as", "effective"),
        ("meaning", "meaning"),
        ("expected", "expected"),
        ("effect", "effect"),
        ("set by", "may_be_set_by"),
    ];
    for (name, member) in rows {
        if let Some(value) = answer[member].as_str() {
            screen.row(name, value);
        }
    }
    for origin in answer["defined"].as_array().into_iter().flatten() {
        screen.row("defined", &origin_in_words(origin));
    }
}

fn definition(answer: &Value, screen: &mut Screen) {
    screen.line(&format!("{} in generation {}", text(&answer["key"]), answer["generation"]));
    strings(&answer["routes"]).for_each(|route| screen.row("route", route));
    if let Some(leads_to) = answer["leads_to"].as_str() {
        screen.row("leads to", leads_to);
    }
    for key in answer["keys"].as_array().into_iter().flatten() {
        let value = key["value"].as_str().unwrap_or("(not shown)");
        let place = format!("{}:{}", text(&key["file"]), key["line"]);
        screen.line(&format!("  {} = {value}  ({place})", text(&key["key"])));
    }
    if let Some(more) = answer["keys_left_out"].as_u64().filter(|more| *more > 0) {
        screen.line(&format!("  and {more} more keys"));
    }
    for origin in answer["defined"].as_array().into_iter().flatten() {
        screen.row("defined", &origin_in_words(origin));
    }
}
