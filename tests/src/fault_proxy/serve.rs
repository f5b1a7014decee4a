use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::answer::{Answer, as_it_comes};
use super::mishap::{Heard, Mishap};
use super::parcel::Parcel;
use super::{Shared, lock};
use crate::control_plane::call::route;
use crate::control_plane::rules::Asked;
use crate::control_plane::server::{Body, Served};
use crate::control_plane::wire::Scissors;

/// A request that came to the proxy.
#[derive(Clone, Debug)]
pub struct Passed {
    /// The method.
    pub method: String,
    /// The path without `/api` prefixes.
    pub route: String,
    /// What it met with.
    pub mishaps: Vec<Mishap>,
    /// How often it was sent on.
    pub delivered: usize,
}

/// What serves the connections of the proxy.
pub(super) fn service(
    shared: &Arc<Shared>,
) -> impl Fn(Scissors, Request<Incoming>) -> Served + Clone + use<> {
    let shared = Arc::clone(shared);
    move |scissors, request| Box::pin(serve(Arc::clone(&shared), scissors, request))
}

/// Passes one request on, or does with it what was told. An error cuts the connection.
async fn serve(
    shared: Arc<Shared>,
    scissors: Scissors,
    request: Request<Incoming>,
) -> Result<Response<Body>, Error> {
    let (parts, body) = request.into_parts();
    let parcel = Parcel { parts, body: body.collect().await.map_err(Error::other)?.to_bytes() };
    let (number, mishaps) = shared.struck(&parcel);
    if shared.silent.load(Ordering::Acquire) {
        return std::future::pending().await;
    }
    let mut decisive = None;
    for mishap in mishaps {
        match mishap {
            Mishap::Delay(time) => tokio::time::sleep(time).await,
            other => decisive = Some(other),
        }
    }
    let deliver = async || {
        if let Some(passed) = lock(&shared.passed).get_mut(number) {
            passed.delivered += 1;
        }
        parcel.deliver(&shared.client, shared.upstream).await
    };
    let read = async || Answer::read(deliver().await?).await;
    Ok(match decisive {
        None | Some(Mishap::Delay(_)) => as_it_comes(deliver().await?),
        Some(Mishap::DelayAnswer(time)) => {
            let answer = deliver().await?;
            tokio::time::sleep(time).await;
            as_it_comes(answer)
        }
        Some(Mishap::Cut) => return Err(ErrorKind::ConnectionReset.into()),
        Some(Mishap::LoseAnswer) => {
            read().await?;
            return Err(ErrorKind::ConnectionReset.into());
        }
        Some(Mishap::HalfHeaders) => {
            let answer = read().await?;
            scissors.after(24);
            answer.whole()
        }
        Some(Mishap::HalfBody) => read().await?.halved(),
        Some(Mishap::Truncate) => read().await?.truncated(),
        Some(Mishap::Twice(heard)) => {
            let (first, second) = (read().await, read().await);
            if heard == Heard::First { first?.whole() } else { second?.whole() }
        }
        Some(Mishap::Silence) => std::future::pending().await,
        Some(Mishap::Reverse) => read().await?.reversed().whole(),
        Some(Mishap::Shuffle(seed)) => read().await?.shuffled(seed).whole(),
        Some(Mishap::Repeat) => read().await?.repeated().whole(),
    })
}

impl Shared {
    /// What a request meets with. It is written down before that happens; gives its number.
    fn struck(&self, parcel: &Parcel) -> (usize, Vec<Mishap>) {
        let (method, route) = (parcel.parts.method.as_str(), route(parcel.parts.uri.path()));
        let gateway_id = route.strip_prefix("/harmony/changes/").filter(|id| !id.contains('/'));
        let struck = self.rules().strike(&Asked { method, route, gateway_id });
        let mut mishaps: Vec<Mishap> = struck.into_iter().map(|(_, mishap)| mishap).collect();
        if mishaps.is_empty() {
            mishaps.extend(lock(&self.weather).as_mut().and_then(|weather| weather.next()));
        }
        let mut passed = lock(&self.passed);
        passed.push(Passed {
            method: method.to_owned(),
            route: route.to_owned(),
            mishaps: mishaps.clone(),
            delivered: 0,
        });
        (passed.len() - 1, mishaps)
    }
}
