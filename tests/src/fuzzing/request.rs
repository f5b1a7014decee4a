//! The target `request`: the bytes of a client, through the whole proxy, to a recording backend.

use std::cell::RefCell;

use super::backend::{Answer, Recorded};
use super::client::Client;
use super::fields::{check_request, check_response};
use super::message::{Kind, Message, parse};
use super::world::World;
use crate::site::forward;

/// The prefix that the gateway takes off the path of requests.
const PREFIX: &str = "/app";

/// The fields that the gateway sets itself, beside X-Forwarded-*, whatever the client sends.
const SET_BY_GATEWAY: [&str; 6] =
    ["content-length", "forwarded", "host", "transfer-encoding", "upgrade", "via"];

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const HEAD_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(start());
}

fn start() -> World {
    let world =
        World::start(|url| forward("root", "/", url) + &forward("app", PREFIX, &format!("{url}/base")));
    world.backend.script(|request| {
        let to_head = request.start.starts_with(b"HEAD ");
        Answer { bytes: if to_head { HEAD_ANSWER } else { ANSWER }.to_vec(), close: false }
    });
    world
}

/// Sends `bytes` to a gateway that forwards everything. A backend with a strict parser understands each request that
/// reaches it; no field of one is forged, for another connection or with a control character; and a client that follows
/// the RFC sees its own requests there, no other ones.
///
/// # Panics
/// Panics if that does not hold.
pub fn request(bytes: &[u8]) {
    WORLD.with_borrow_mut(|world| {
        let World { backend, site, activity, runtime } = world;
        let (received, recorded) = runtime.block_on(async {
            let mut client = Client::connect(site.port, activity).await;
            client.exchange(bytes).await;
            let received = std::mem::take(&mut client.received);
            drop(client);
            (received, backend.finish().await)
        });
        let authority = backend.address.to_string();
        check_recorded(&recorded, &authority);
        if !bytes.starts_with(b"PRI") {
            check_client(bytes, &received, &recorded);
        }
    });
}

fn check_recorded(recorded: &Recorded, authority: &str) {
    assert!(recorded.violations.is_empty(), "the backend received {:#?}", recorded.violations);
    for message in &recorded.requests {
        if let Err(problem) = check_request(message, authority, PREFIX) {
            panic!("the backend received {problem}: {}", shown(message));
        }
    }
}

/// Compares what the client sent with what arrived, if a strict parser reads it as requests without remainder.
fn check_client(bytes: &[u8], received: &[u8], recorded: &Recorded) {
    let (mut sent, mut rest, mut begun) = (Vec::new(), bytes, false);
    loop {
        match parse(rest, Kind::Request) {
            Err(_) => return,
            Ok(None) => {
                begun = !rest.is_empty();
                break;
            }
            Ok(Some(message)) => {
                let length = message.length;
                sent.push(message);
                match length {
                    Some(length) => rest = &rest[length..],
                    None => break,
                }
            }
        }
    }
    let mut unmatched = sent.iter();
    for arrived in &recorded.requests {
        let same = |sent: &&Message| {
            let body = if arrived.length.is_some() { sent.body == arrived.body } else { true };
            sent.words()[0] == arrived.words()[0] && body
        };
        let sent = unmatched.find(same);
        let sent = sent.unwrap_or_else(|| panic!("the client did not send this: {}", shown(arrived)));
        for option in sent.values("connection").flat_map(|value| value.split(|byte| *byte == b',')) {
            let name = String::from_utf8_lossy(option.trim_ascii()).to_ascii_lowercase();
            let own = name.starts_with("x-forwarded-") || SET_BY_GATEWAY.contains(&&*name);
            let passed =
                !own && sent.values(&name).next().is_some() && arrived.values(&name).next().is_some();
            assert!(!passed, "the connection option {name} was passed on: {}", shown(arrived));
        }
    }
    let mut rest = received;
    for request in &sent {
        let to_head = request.start.starts_with(b"HEAD ");
        while !rest.is_empty() {
            let response = match parse(rest, Kind::Response { to_head }) {
                Ok(Some(response)) => response,
                Ok(None) => return,
                Err(problem) => panic!("the client received {problem}: {:?}", String::from_utf8_lossy(rest)),
            };
            if let Err(problem) = check_response(&response) {
                panic!("the client received {problem}: {}", shown(&response));
            }
            let Some(length) = response.length else { return };
            rest = &rest[length..];
            if !(100..200).contains(&response.status()) {
                break;
            }
        }
    }
    // The gateway may refuse a head before its last line. That response has the version of the request before.
    let version = sent.last().and_then(|request| request.words().get(2).copied()).unwrap_or(b"HTTP/1.1");
    let refused = begun && rest.strip_prefix(version).is_some_and(|rest| rest.starts_with(b" 4"));
    assert!(rest.is_empty() || refused, "a response to no request: {:?}", String::from_utf8_lossy(rest));
}

fn shown(message: &Message) -> String {
    let mut text = String::from_utf8_lossy(&message.start).into_owned();
    for (name, value) in message.headers.iter().chain(&message.trailers) {
        text.push_str(&format!("\n{name}: {}", String::from_utf8_lossy(value).escape_debug()));
    }
    format!("{text}\nwith a body of {} bytes", message.body.len())
}
