//! Serving a connection: reading requests, executing calls, injecting faults.

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

use super::call::Call;
use super::core::Core;
use super::credential::Caller;
use super::cuttable_stream::CutHandle;
use super::faults::Fault;
use super::page;
use super::response::{ApiError, ApiResponse};
use super::routes;
use super::rules::RequestInfo;
use super::server::{Body, ResponseFuture};

/// The limit of a request body, in bytes. Larger than any configuration that a gateway pushes.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// The deadline for reading a request body.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the service for the connections of this control plane.
pub(super) fn service(
    core: &Arc<Core>,
) -> impl Fn(CutHandle, Request<Incoming>) -> ResponseFuture + Clone + use<> {
    let core = Arc::clone(core);
    move |cut, request| Box::pin(serve(Arc::clone(&core), cut, request))
}

/// Handles one request, with the faults that match it. An error cuts the connection.
async fn serve(core: Arc<Core>, cut: CutHandle, request: Request<Incoming>) -> Result<Response<Body>, Error> {
    let (parts, body) = request.into_parts();
    let body = tokio::time::timeout(READ_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await;
    let (body, too_large) = match body {
        Ok(Ok(body)) => (body.to_bytes(), false),
        Ok(Err(_)) => (Bytes::new(), true),
        Err(_) => return Err(ErrorKind::TimedOut.into()),
    };
    let call = Call::new(parts, body);
    if page::is_polled(call.route()) {
        // Neither logged nor hit by faults, which are for the calls of gateways.
        let caller = identify(&core, &call);
        return Ok(full(routes::handle(&core, &call, &caller).unwrap_or_else(|error| error.to_response())));
    }
    let caller = identify(&core, &call);
    let number = core.log().begin(&call, caller.credential, caller.gateway_id());
    let matched = {
        let (method, gateway_id) = (call.method.as_str(), caller.gateway_id());
        core.rules().take_matching(&RequestInfo { method, route: call.route(), gateway_id })
    };
    if !matched.is_empty() {
        let names: Vec<_> = matched.iter().map(|(_, fault)| format!("{fault:?}")).collect();
        core.log().amend(number, |entry| entry.fault = Some(names.join(" and ")));
    }
    core.wake();

    let mut fault = None;
    for (id, matched) in matched {
        match matched {
            Fault::Delay(time) => tokio::time::sleep(time).await,
            Fault::Hold => core.until(|| (!core.rules().exists(id)).then_some(())).await,
            other => fault = Some(other),
        }
    }
    let execute = || match too_large {
        true => failed(&core, number, &ApiError::too_large("the body is too large")),
        false => {
            // The caller is identified again: its token may have been revoked while the request was held.
            let caller = identify(&core, &call);
            routes::handle(&core, &call, &caller).unwrap_or_else(|error| failed(&core, number, &error))
        }
    };
    let response = match fault {
        None => full(execute()),
        Some(fault) => faulty(fault, execute, &cut).await?,
    };
    let status = response.status().as_u16();
    core.log().amend(number, |entry| entry.status = Some(status));
    if core.settings.print_requests {
        let gateway = caller.gateway().map(|gateway| format!(" from {}", gateway.code)).unwrap_or_default();
        println!("{} {status} {} {}{gateway}", time_of_day(), call.method, call.path);
    }
    core.wake();
    Ok(response)
}

fn time_of_day() -> String {
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

fn failed(core: &Core, number: u64, error: &ApiError) -> ApiResponse {
    if error.violation {
        core.log().amend(number, |entry| entry.violation = Some(error.message.clone()));
    }
    error.to_response()
}

async fn faulty(
    fault: Fault,
    execute: impl FnOnce() -> ApiResponse,
    cut: &CutHandle,
) -> Result<Response<Body>, Error> {
    let status = |code| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(match fault {
        Fault::Status(code, body) => full(ApiResponse::json(status(code), &body)),
        Fault::RetryAfter(code, seconds) => {
            let error = serde_json::json!({ "error": "fault", "message": "come back later" });
            full(ApiResponse::json(status(code), &error).with(RETRY_AFTER, &seconds.to_string()))
        }
        Fault::Response { status: code, content_type, body } => {
            full(ApiResponse::new(status(code), content_type, body))
        }
        Fault::Redirect(to) => full(ApiResponse::json(StatusCode::FOUND, &Value::Null).with(LOCATION, &to)),
        Fault::Silence => std::future::pending().await,
        Fault::Cut => return Err(ErrorKind::ConnectionReset.into()),
        Fault::LoseResponse => {
            execute();
            return Err(ErrorKind::ConnectionReset.into());
        }
        Fault::HalfHeaders => {
            let response = execute();
            // Within the status line and the first header.
            cut.after(24);
            full(response)
        }
        Fault::HalfBody => cut_in_body(execute()),
        Fault::EndlessBody => endless(),
        Fault::Drip => drip(),
        Fault::Oversized(size) => {
            let mut response = execute();
            let mut body = response.body.to_vec();
            body.resize(body.len().max(size), b' ');
            response.body = body.into();
            full(response)
        }
        Fault::HugeNumbers => full(edited(execute(), with_huge_numbers)),
        Fault::MoreFields => full(edited(execute(), with_more_fields)),
        Fault::NextLink(url) => full(edited(execute(), |body| body["links"]["next"] = url.into())),
        Fault::Repeated => full(edited(execute(), |body| {
            edit_list(body, |list| {
                *list = list.iter().flat_map(|entry| [entry.clone(), entry.clone()]).collect()
            });
        })),
        Fault::Reversed => full(edited(execute(), |body| edit_list(body, |list| reverse(list)))),
        Fault::BaseUrl(url) => full(edited(execute(), |body| {
            body["base_url"] = url.clone().into();
            body["full_url"] = url.into();
        })),
        // `serve` has waited for these.
        Fault::Delay(_) | Fault::Hold => full(execute()),
    })
}

fn edited(mut response: ApiResponse, edit: impl FnOnce(&mut Value)) -> ApiResponse {
    if let Ok(mut body) = serde_json::from_slice::<Value>(&response.body)
        && body.is_object()
    {
        edit(&mut body);
        response.body = body.to_string().into();
    }
    response
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

fn edit_list(body: &mut Value, edit: impl FnOnce(&mut Vec<Value>)) {
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

fn to_http(response: &ApiResponse, body: Body) -> Response<Body> {
    let mut http = Response::new(body);
    *http.status_mut() = response.status;
    *http.headers_mut() = response.headers.clone();
    http
}

fn full(response: ApiResponse) -> Response<Body> {
    let body = Full::new(response.body.clone()).map_err(|never| match never {}).boxed_unsync();
    to_http(&response, body)
}

fn cut_in_body(response: ApiResponse) -> Response<Body> {
    let first = response.body.slice(..response.body.len() / 2);
    let first = stream::once(async { Ok(Frame::data(first)) });
    let cut = stream::once(async {
        // hyper flushes the first half when the body is pending.
        tokio::task::yield_now().await;
        Err(Error::from(ErrorKind::ConnectionReset))
    });
    let response = response.clone().with(CONTENT_LENGTH, &response.body.len().to_string());
    to_http(&response, StreamBody::new(first.chain(cut)).boxed_unsync())
}

fn endless() -> Response<Body> {
    let response = ApiResponse::new(StatusCode::OK, "application/json", "");
    let start = stream::iter([Ok(Frame::data(Bytes::from_static(b"{\"data\":[")))]);
    let more = stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(&[b' '; 16 * 1024]))));
    to_http(&response, StreamBody::new(start.chain(more)).boxed_unsync())
}

fn drip() -> Response<Body> {
    let response = ApiResponse::new(StatusCode::OK, "application/json", "");
    let drops = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok(Frame::data(Bytes::from_static(b" "))), ()))
    });
    to_http(&response, StreamBody::new(drops).boxed_unsync())
}
