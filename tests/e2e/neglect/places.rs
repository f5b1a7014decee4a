//! Places for connections to backends that are all taken by idle ones.

use std::sync::Arc;

use futures_util::future::join_all;
use harmony_tests::site::forward;
use harmony_tests::{Upstream, client, full};
use http::Response;
use tokio::sync::Barrier;

use super::Process;

/// The number of idle connections that each of eight backends may have, of the 160 of a process with 512 descriptors.
const IDLE: usize = 20;

/// Idle connections to eight backends hold all places. A request to a ninth gets one of them.
#[tokio::test]
async fn idle_connections_give_way() {
    let (mut backends, mut sections) = (Vec::new(), String::new());
    for number in 0..9 {
        let together = Arc::new(Barrier::new(if number == 8 { 1 } else { IDLE }));
        let backend = Upstream::with_handler(move |_| {
            let together = Arc::clone(&together);
            async move {
                together.wait().await;
                Response::new(full("answered"))
            }
        })
        .await;
        sections += &forward(&format!("b{number}"), &format!("/b{number}"), &backend.url());
        backends.push(backend);
    }
    let process = Process::with(&sections, "ulimit -n 512", &["--drain-secs", "0"]).await;
    let client = client();
    let get = async |number: usize| {
        let url = format!("http://127.0.0.1:{}/b{number}", process.port);
        client.get(url).send().await.unwrap().status().as_u16()
    };
    for number in 0..8 {
        let statuses = join_all((0..IDLE).map(|_| get(number))).await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    }
    assert_eq!(get(8).await, 200, "a request to the ninth backend");
}
