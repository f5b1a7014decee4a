//! The scenarios: connections, bodies and protocols, each with the proxies for which it says something.

use super::proxies::Proxies;
use super::target::{Front, Target};
use super::upstream::Upstream;
use crate::upstream::Body;

/// A load and the proxies that receive it. Ratios compare with the first one.
#[derive(Debug)]
pub(super) struct Scenario<'a> {
    pub(super) title: &'static str,
    pub(super) connections: usize,
    /// The number of requests that each connection has at a time. HTTP/1 has one.
    pub(super) streams: usize,
    pub(super) body: Body,
    pub(super) targets: Vec<Target<'a>>,
}

/// The scenario whose first throughput is the knee of the load at a constant rate: every proxy in clear text, and the
/// upstream without a proxy, which shows the limit of the load.
pub(super) fn main<'a>(proxies: &'a Proxies, upstream: &'a Upstream) -> Scenario<'a> {
    let mut targets = plain(proxies);
    targets.extend(proxies.mesh.iter().map(Target::from));
    targets.push(upstream.target());
    Scenario { title: "HTTP/1.1", connections: 64, streams: 1, body: Body::Small, targets }
}

/// All scenarios, the main one first.
pub(super) fn all<'a>(proxies: &'a Proxies, upstream: &'a Upstream) -> Vec<Scenario<'a>> {
    let http1 = |connections, body: Body| {
        let targets = plain(proxies).into_iter().map(|target| target.for_body(body)).collect();
        Scenario { title: "HTTP/1.1", connections, streams: 1, body, targets }
    };
    let mut all = vec![
        main(proxies, upstream),
        http1(1, Body::Small),
        http1(1000, Body::Small),
        http1(64, Body::Medium),
        http1(16, Body::Large),
    ];
    all.extend(tls(proxies));
    all.push(http2(proxies));
    all
}

/// The proxies without a mesh, nginx first.
fn plain(proxies: &Proxies) -> Vec<Target<'_>> {
    let nginx = proxies.nginx.iter().map(|nginx| nginx.target());
    let haproxy = proxies.haproxy.iter().map(|process| Target::new("haproxy", process));
    nginx.chain(haproxy).chain([Target::from(&proxies.smallest), Target::from(&proxies.plain)]).collect()
}

/// TLS to the clients and to the upstream. `None` if the upstream has no TLS.
fn tls(proxies: &Proxies) -> Option<Scenario<'_>> {
    let secure = proxies.secure.as_ref()?;
    let nginx = proxies.nginx.as_ref().and_then(|nginx| Some(nginx.target().with_front(nginx.tls.clone()?)));
    let harmony = Target::new("harmony-host, plain", &secure.process).with_front(secure.front.clone());
    let targets = nginx.into_iter().chain([harmony]).collect();
    Some(Scenario {
        title: "HTTP/1.1, TLS on both sides",
        connections: 64,
        streams: 1,
        body: Body::Small,
        targets,
    })
}

/// HTTP/2 from the clients, HTTP/1.1 to the upstream.
fn http2(proxies: &Proxies) -> Scenario<'_> {
    let nginx = proxies.nginx.iter().map(|nginx| nginx.target().with_front(Front::Http2(nginx.http2)));
    let harmony = Target::from(&proxies.plain);
    let front = Front::Http2(harmony.address);
    let targets = nginx.chain([harmony.with_front(front)]).collect();
    Scenario { title: "HTTP/2 from clients", connections: 8, streams: 8, body: Body::Small, targets }
}
