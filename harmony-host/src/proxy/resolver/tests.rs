//! Tests of the resolver, and of changes of its settings.

#[cfg(target_os = "linux")]
mod changes;

use std::net::{IpAddr, Ipv4Addr};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use tokio::net::UdpSocket;

use super::*;

/// Returns the name server at `port` of this machine.
fn name_server(port: u16) -> NameServerConfig {
    let mut connection = ConnectionConfig::udp();
    connection.port = port;
    NameServerConfig::new(IpAddr::V4(Ipv4Addr::LOCALHOST), true, vec![connection])
}

/// Returns a resolver that asks the name server at `port` of this machine.
fn asking(port: u16) -> TokioResolver {
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server(port)]);
    built(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())).unwrap()
}

#[tokio::test]
async fn localhost_is_known() {
    let found = Resolver::new().call("localhost".parse().unwrap()).await.unwrap();
    assert!(found.into_iter().all(|address| address.ip().is_loopback()));
}

#[tokio::test(start_paused = true)]
async fn a_silent_name_server_is_an_error_in_time() {
    let silent = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    let resolver = asking(silent.local_addr().unwrap().port());
    let start = Instant::now();
    assert!(lookup(&resolver, "backend.example.").await.is_err());
    assert!(start.elapsed() <= LOOKUP_TIMEOUT, "{:?}", start.elapsed());
}

/// The answers of a name server, with their time to live, are used again until it is over.
#[tokio::test]
async fn answers_are_used_for_their_time_to_live() {
    let server = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    let port = server.local_addr().unwrap().port();
    let (sender, mut asked) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut query = [0; 512];
        while let Ok((size, peer)) = server.recv_from(&mut query).await {
            let question = &query[12..size];
            let end = question.iter().position(|byte| *byte == 0).unwrap() + 5;
            let is_v4 = question[end - 3] == 1;
            // Header (a response, one question), the question, and for A one answer of 1 s.
            let mut answer = [&query[..2], &[0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]].concat();
            answer.extend(&question[..end]);
            if is_v4 {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 7]);
            }
            server.send_to(&answer, peer).await.unwrap();
            sender.send(is_v4).unwrap();
        }
    });
    let resolver = asking(port);
    let mut count = 0;
    for expected in [1, 1, 2] {
        if expected == 2 {
            tokio::time::sleep(Duration::from_millis(1100)).await;
        }
        let found = lookup(&resolver, "backend.example.").await.unwrap();
        assert_eq!(found, ["192.0.2.7:0".parse().unwrap()]);
        while let Ok(is_v4) = asked.try_recv() {
            count += usize::from(is_v4);
        }
        assert_eq!(count, expected, "asked for the address");
    }
}
