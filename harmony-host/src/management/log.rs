//! `GET log` and `POST log`: the log levels of the process.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde::Deserialize;

use crate::audit::Actor;
use crate::host::{Control, Levels};
use crate::http::respond::{self, problem};
use crate::management::provider_error::{disabled, provider_failed};
use crate::management::read_json::{RequestBody, read_json};

/// The maximum number of levels in a request.
const MAX_LEVELS: usize = 64;

/// The longest time for which levels are set: a week.
const MAX_TIME_SECS: u64 = 7 * 24 * 3600;

/// The body of `POST log`.
#[derive(Deserialize)]
struct LogBody {
    /// The levels, each as `TARGET=LEVEL` or `LEVEL`.
    #[serde(default)]
    set: Vec<String>,
    /// Set to return to the levels of the start first.
    #[serde(default)]
    reset: bool,
    /// The time after which the levels of the start return.
    for_secs: Option<u64>,
}

/// Shows the levels, or changes them.
pub(super) async fn log<B: RequestBody>(
    control: &Control,
    request: Request<B>,
    by: &Actor,
) -> Response<Full<Bytes>> {
    let Some(log) = &control.log_levels else {
        return *disabled("the application of this gateway does not let its log levels be changed");
    };
    if *request.method() != Method::POST {
        return show(&log.levels());
    }
    let body: LogBody = match read_json(request).await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    if let Err(message) = check(&body) {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", message);
    }
    let before = log.levels();
    let reset = if body.reset { log.reset() } else { Ok(log.levels()) };
    let duration = body.for_secs.map(Duration::from_secs);
    let changed = match body.set.is_empty() {
        true => reset,
        false => reset.and_then(|_| log.set(&body.set, duration)),
    };
    match changed {
        Ok(levels) => {
            control.levels_changed(&levels, by).await;
            tracing::info!(levels = levels.directives.join(","), "the log levels were changed");
            show(&levels)
        }
        Err(error) => {
            // The reset before a level that is not valid stays.
            let levels = log.levels();
            if levels != before {
                control.levels_changed(&levels, by).await;
            }
            provider_failed(&error)
        }
    }
}

fn show(levels: &Levels) -> Response<Full<Bytes>> {
    match serde_json::to_value(levels) {
        Ok(levels) => respond::json(StatusCode::OK, &levels),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", &error.to_string()),
    }
}

fn check(body: &LogBody) -> Result<(), &'static str> {
    match body {
        LogBody { set, reset: false, .. } if set.is_empty() => {
            Err("expected `set` with levels such as \"harmony_host::sync=debug\", or `reset`")
        }
        LogBody { set, .. } if set.len() > MAX_LEVELS => Err("expected at most 64 levels"),
        LogBody { for_secs: Some(0), .. } => Err("`for_secs` is 0; leave it out to keep the levels"),
        LogBody { for_secs: Some(seconds), .. } if *seconds > MAX_TIME_SECS => {
            Err("`for_secs` is more than a week")
        }
        _ => Ok(()),
    }
}
