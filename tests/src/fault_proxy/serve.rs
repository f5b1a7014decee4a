//! Serving a connection of the proxy: forwarding requests, with faults.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::buffered_request::BufferedRequest;
use super::buffered_response::{BufferedResponse, streamed};
use super::network_fault::{ForwardedResponse, NetworkFault};
use super::{Shared, lock};
use crate::control_plane::call::route;
use crate::control_plane::cuttable_stream::CutHandle;
use crate::control_plane::rules::RequestInfo;
use crate::control_plane::server::{Body, ResponseFuture};

/// A request that the proxy received.
#[derive(Clone, Debug)]
pub struct ProxiedRequest {
    /// The method.
    pub method: String,
    /// The path without its `/api` prefixes.
    pub route: String,
    /// The faults injected into it.
    pub faults: Vec<NetworkFault>,
    /// The number of times it was sent to the upstream.
    pub sent: usize,
}

/// Returns the service for the proxy's connections.
pub(super) fn service(
    shared: &Arc<Shared>,
) -> impl Fn(CutHandle, Request<Incoming>) -> ResponseFuture + Clone + use<> {
    let shared = Arc::clone(shared);
    move |cut, request| Box::pin(serve(Arc::clone(&shared), cut, request))
}

/// Forwards one request, with the faults that match it. An error cuts the connection.
async fn serve(
    shared: Arc<Shared>,
    cut: CutHandle,
    request: Request<Incoming>,
) -> Result<Response<Body>, Error> {
    let (parts, body) = request.into_parts();
    let request = BufferedRequest { parts, body: body.collect().await.map_err(Error::other)?.to_bytes() };
    let (index, faults) = shared.record(&request);
    if shared.unresponsive.load(Ordering::Acquire) {
        return std::future::pending().await;
    }
    // Delays add up; of the other faults, at most one matches.
    let mut fault = None;
    for matched in faults {
        match matched {
            NetworkFault::Delay(time) => tokio::time::sleep(time).await,
            other => fault = Some(other),
        }
    }
    let send = async || {
        if let Some(recorded) = lock(&shared.requests).get_mut(index) {
            recorded.sent += 1;
        }
        request.send(&shared.client, shared.upstream).await
    };
    let read = async || BufferedResponse::read(send().await?).await;
    Ok(match fault {
        None | Some(NetworkFault::Delay(_)) => streamed(send().await?),
        Some(NetworkFault::DelayResponse(time)) => {
            let response = send().await?;
            tokio::time::sleep(time).await;
            streamed(response)
        }
        Some(NetworkFault::Cut) => return Err(ErrorKind::ConnectionReset.into()),
        Some(NetworkFault::LoseResponse) => {
            read().await?;
            return Err(ErrorKind::ConnectionReset.into());
        }
        Some(NetworkFault::HalfHeaders) => {
            let response = read().await?;
            // Within the status line and the first header.
            cut.after(24);
            response.into_response()
        }
        Some(NetworkFault::HalfBody) => read().await?.cut_in_body(),
        Some(NetworkFault::Truncate) => read().await?.truncated(),
        Some(NetworkFault::Duplicate(forwarded)) => {
            let (first, second) = (read().await, read().await);
            if forwarded == ForwardedResponse::First {
                first?.into_response()
            } else {
                second?.into_response()
            }
        }
        Some(NetworkFault::Silence) => std::future::pending().await,
        Some(NetworkFault::Reverse) => read().await?.reversed().into_response(),
        Some(NetworkFault::Shuffle(seed)) => read().await?.shuffled(seed).into_response(),
        Some(NetworkFault::DuplicateEntries) => read().await?.duplicated().into_response(),
    })
}

impl Shared {
    /// Records a request before it is forwarded. Returns its index in the record and the faults to inject.
    fn record(&self, request: &BufferedRequest) -> (usize, Vec<NetworkFault>) {
        let (method, route) = (request.parts.method.as_str(), route(request.parts.uri.path()));
        let gateway_id = route.strip_prefix("/harmony/changes/").filter(|id| !id.contains('/'));
        let matched = self.rules().take_matching(&RequestInfo { method, route, gateway_id });
        let mut faults: Vec<NetworkFault> = matched.into_iter().map(|(_, fault)| fault).collect();
        if faults.is_empty() {
            faults.extend(lock(&self.random_faults).as_mut().and_then(|random| random.next()));
        }
        let mut requests = lock(&self.requests);
        requests.push(ProxiedRequest {
            method: method.to_owned(),
            route: route.to_owned(),
            faults: faults.clone(),
            sent: 0,
        });
        (requests.len() - 1, faults)
    }
}
