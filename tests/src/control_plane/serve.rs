use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CONTENT_LENGTH, LOCATION, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use jiff::Timestamp;
use serde_json::Value;

use super::answer::{Answer, Rejection};
use super::call::Call;
use super::core::Core;
use super::credential::Caller;
use super::faults::Fault;
use super::routes;
use super::rules::Asked;
use super::server::{Body, Served};
use super::wire::Scissors;

/// More than any configuration that a gateway hands in.
const LARGEST: usize = 16 * 1024 * 1024;
/// A client has its request sent long before, or it is none.
const PATIENCE: Duration = Duration::from_secs(30);

/// What serves the connections of this control plane.
pub(super) fn service(core: &Arc<Core>) -> impl Fn(Scissors, Request<Incoming>) -> Served + Clone + use<> {
    let core = Arc::clone(core);
    move |scissors, request| Box::pin(serve(Arc::clone(&core), scissors, request))
}

/// Answers one request, or breaks as it was programmed to. An error cuts the connection.
async fn serve(
    core: Arc<Core>,
    scissors: Scissors,
    request: Request<Incoming>,
) -> Result<Response<Body>, Error> {
    let (parts, body) = request.into_parts();
    let body = tokio::time::timeout(PATIENCE, Limited::new(body, LARGEST).collect()).await;
    let (body, too_large) = match body {
        Ok(Ok(body)) => (body.to_bytes(), false),
        Ok(Err(_)) => (Bytes::new(), true),
        Err(_) => return Err(ErrorKind::TimedOut.into()),
    };
    let call = Call::new(parts, body);
    if call.route().starts_with("/dev/") {
        // The page asks once a second; what it asks is no gateway's traffic, and it shows faults rather than has them.
        let caller = identify(&core, &call);
        return Ok(whole(routes::answer(&core, &call, &caller).unwrap_or_else(|refusal| refusal.answer())));
    }
    let caller = identify(&core, &call);
    let number = core.log().begin(&call, caller.credential, caller.gateway_id());
    let struck = {
        let (method, gateway_id) = (call.method.as_str(), caller.gateway_id());
        core.rules().strike(&Asked { method, route: call.route(), gateway_id })
    };
    if !struck.is_empty() {
        let names: Vec<_> = struck.iter().map(|(_, fault)| format!("{fault:?}")).collect();
        core.log().amend(number, |entry| entry.fault = Some(names.join(" and ")));
    }
    core.wake();

    let mut fault = None;
    for (id, struck) in struck {
        match struck {
            Fault::Delay(time) => tokio::time::sleep(time).await,
            Fault::Hold => core.until(|| (!core.rules().exists(id)).then_some(())).await,
            other => fault = Some(other),
        }
    }
    let carry_out = || match too_large {
        true => refused(&core, number, &Rejection::too_large("the body is too large")),
        false => {
            // Who calls is looked at again: a request that was held may have lost its right meanwhile.
            let caller = identify(&core, &call);
            routes::answer(&core, &call, &caller).unwrap_or_else(|refusal| refused(&core, number, &refusal))
        }
    };
    let response = match fault {
        None => whole(carry_out()),
        Some(fault) => broken(fault, carry_out, &scissors).await?,
    };
    let status = response.status().as_u16();
    core.log().amend(number, |entry| entry.status = Some(status));
    if core.settings.narrate {
        let gateway = caller.gateway().map(|gateway| format!(" from {}", gateway.code)).unwrap_or_default();
        println!("{} {status} {} {}{gateway}", clock(), call.method, call.path);
    }
    core.wake();
    Ok(response)
}

fn clock() -> String {
    Timestamp::now().strftime("%H:%M:%S").to_string()
}

fn identify(core: &Core, call: &Call) -> Caller {
    let mut state = core.state();
    let caller = Caller::of(call, core, &state);
    let gateway =
        caller.gateway_id().and_then(|id| state.gateways.iter_mut().find(|gateway| gateway.id == id));
    if let Some(gateway) = gateway {
        gateway.last_contact = Some(Timestamp::now());
    }
    caller
}

fn refused(core: &Core, number: u64, refusal: &Rejection) -> Answer {
    if refusal.violation {
        core.log().amend(number, |entry| entry.violation = Some(refusal.message.clone()));
    }
    refusal.answer()
}

async fn broken(
    fault: Fault,
    carry_out: impl FnOnce() -> Answer,
    scissors: &Scissors,
) -> Result<Response<Body>, Error> {
    let status = |code| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(match fault {
        Fault::Status(code, body) => whole(Answer::json(status(code), &body)),
        Fault::RetryAfter(code, seconds) => {
            let refusal = serde_json::json!({ "error": "fault", "message": "come back later" });
            whole(Answer::json(status(code), &refusal).with(RETRY_AFTER, &seconds.to_string()))
        }
        Fault::Answer { status: code, content_type, body } => {
            whole(Answer::new(status(code), content_type, body))
        }
        Fault::Redirect(to) => whole(Answer::json(StatusCode::FOUND, &Value::Null).with(LOCATION, &to)),
        Fault::Silence => std::future::pending().await,
        Fault::Cut => return Err(ErrorKind::ConnectionReset.into()),
        Fault::LoseAnswer => {
            carry_out();
            return Err(ErrorKind::ConnectionReset.into());
        }
        Fault::HalfHeaders => {
            let answer = carry_out();
            scissors.after(24);
            whole(answer)
        }
        Fault::HalfBody => half(carry_out()),
        Fault::EndlessBody => endless(),
        Fault::Drip => drip(),
        Fault::Oversized(size) => {
            let mut answer = carry_out();
            let mut body = answer.body.to_vec();
            body.resize(body.len().max(size), b' ');
            answer.body = body.into();
            whole(answer)
        }
        Fault::HugeNumbers => whole(edited(carry_out(), with_huge_numbers)),
        Fault::MoreFields => whole(edited(carry_out(), with_more_fields)),
        Fault::NextLink(url) => whole(edited(carry_out(), |body| body["links"]["next"] = url.into())),
        Fault::Repeated => whole(edited(carry_out(), |body| {
            listed(body, |list| {
                *list = list.iter().flat_map(|entry| [entry.clone(), entry.clone()]).collect()
            });
        })),
        Fault::Reversed => whole(edited(carry_out(), |body| listed(body, |list| reverse(list)))),
        Fault::BaseUrl(url) => whole(edited(carry_out(), |body| {
            body["base_url"] = url.clone().into();
            body["full_url"] = url.into();
        })),
        // These were seen to before.
        Fault::Delay(_) | Fault::Hold => whole(carry_out()),
    })
}

fn edited(mut answer: Answer, edit: impl FnOnce(&mut Value)) -> Answer {
    if let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body)
        && body.is_object()
    {
        edit(&mut body);
        answer.body = body.to_string().into();
    }
    answer
}

fn with_huge_numbers(value: &mut Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(with_huge_numbers),
        Value::Object(all) => all.values_mut().for_each(with_huge_numbers),
        Value::Number(_) => *value = u64::MAX.into(),
        Value::String(text) if text.parse::<Timestamp>().is_ok() => *text = "9999-12-31T23:59:59Z".to_owned(),
        _ => {}
    }
}

fn with_more_fields(value: &mut Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(with_more_fields),
        Value::Object(all) => {
            all.values_mut().for_each(with_more_fields);
            all.insert("a_new_field".to_owned(), serde_json::json!({ "of": ["a", "later", 1, null] }));
        }
        _ => {}
    }
}

fn listed(body: &mut Value, edit: impl FnOnce(&mut Vec<Value>)) {
    if let Some(list) = body["data"].as_array_mut() {
        edit(list);
    }
}

fn reverse(list: &mut [Value]) {
    let times: Vec<Value> = list.iter().map(|entry| entry["created_at"].clone()).collect();
    list.reverse();
    for (entry, time) in list.iter_mut().zip(times) {
        entry["created_at"] = time;
    }
}

fn response(answer: &Answer, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers.clone();
    response
}

fn whole(answer: Answer) -> Response<Body> {
    let body = Full::new(answer.body.clone()).map_err(|never| match never {}).boxed_unsync();
    response(&answer, body)
}

fn half(answer: Answer) -> Response<Body> {
    let first = answer.body.slice(..answer.body.len() / 2);
    let first = stream::once(async { Ok(Frame::data(first)) });
    let cut = stream::once(async {
        // The connection sends what it has when there is nothing more for the moment.
        tokio::task::yield_now().await;
        Err(Error::from(ErrorKind::ConnectionReset))
    });
    let answer = answer.clone().with(CONTENT_LENGTH, &answer.body.len().to_string());
    response(&answer, StreamBody::new(first.chain(cut)).boxed_unsync())
}

fn endless() -> Response<Body> {
    let answer = Answer::new(StatusCode::OK, "application/json", "");
    let start = stream::iter([Ok(Frame::data(Bytes::from_static(b"{\"data\":[")))]);
    let more = stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(&[b' '; 16 * 1024]))));
    response(&answer, StreamBody::new(start.chain(more)).boxed_unsync())
}

fn drip() -> Response<Body> {
    let answer = Answer::new(StatusCode::OK, "application/json", "");
    let drops = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok(Frame::data(Bytes::from_static(b" "))), ()))
    });
    response(&answer, StreamBody::new(drops).boxed_unsync())
}
