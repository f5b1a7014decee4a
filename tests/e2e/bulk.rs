//! Many changes at once: one candidate for all, the guilty found by halving, the others applied in the same pass.

use harmony_tests::control_plane::{ControlPlane, Fault, Status, When};
use harmony_tests::site::{echo, on_ports};
use harmony_tests::{GatewayProcess, InProcessGateway, RUNBEAM_CONFIG, eventually, free_port};

/// Returns the number of candidates that were built for many changes, from the log of the gateway.
fn candidates(log: &str) -> usize {
    let lines = log.lines().filter(|line| line.contains("changes were tried together"));
    let number = |line: &str| -> Option<usize> {
        line.split("candidates=").nth(1)?.split_whitespace().next()?.parse().ok()
    };
    lines.filter_map(number).sum()
}

async fn live(url: String) -> bool {
    harmony_tests::get(url).await.unwrap().status() == 200
}

/// One guilty change among a thousand, in the middle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_among_a_thousand() {
    let cloud = ControlPlane::start().await;
    let process = GatewayProcess::following(&cloud).await;
    let list = When::call("GET", "/harmony/changes/*");
    let away = cloud.inject(list, Fault::Status(503, serde_json::json!({})));
    let name = |n: usize| format!("p{n:04}");
    let mut poison = String::new();
    for n in 0..1_000 {
        let pipeline = echo(&name(n), &format!("/{}", name(n)));
        match n {
            500 => {
                let bad = pipeline.replace("endpoints = [\"p0500\"]", "endpoints = [\"nowhere\"]");
                poison = cloud.change("edge", "pipeline", &bad);
            }
            _ => drop(cloud.change("edge", "pipeline", &pipeline)),
        }
    }
    cloud.remove_fault(away);
    eventually("the verdicts", || async {
        let applied = cloud.applied();
        if applied == 999 && cloud.view(&poison).status == Status::Failed { Ok(()) } else { Err(applied) }
    })
    .await;
    for n in [0, 499, 501, 999] {
        assert!(live(process.url(&format!("/{}", name(n)))).await, "{n}");
    }
    let log = process.gateway.log();
    let candidates = candidates(&log);
    assert!((1..=25).contains(&candidates), "{candidates} candidates");
    assert!(cloud.violations().is_empty(), "{:?}", cloud.violations());
}

#[tokio::test]
async fn swapped_paths_are_both_applied() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    for (name, path) in [("one", "/a"), ("two", "/b")] {
        cloud.change("edge", "pipeline", &echo(name, path));
    }
    assert_eq!(gateway.host.sync().await.unwrap().applied.len(), 2);
    // A guilty change whose problem points at no file of it: the swap is tried in halves.
    cloud.change("edge", "pipeline", &echo("one", "/b"));
    cloud.change("edge", "pipeline", &echo("bad", "/c").replace("\"public\"", "\"nowhere\""));
    cloud.change("edge", "pipeline", &echo("two", "/a"));
    let report = gateway.host.sync().await.unwrap();
    assert_eq!((report.applied.len(), report.rejected.len()), (2, 1), "{report:?}");
    for (path, pipeline) in [("/a", "two"), ("/b", "one")] {
        let text = harmony_tests::get(gateway.url(path)).await.unwrap().text().await.unwrap();
        assert!(text.contains(&format!("\"pipeline\":\"{pipeline}\"")), "{path}: {text}");
    }
}

/// Whatever the order of the list, what a change needs is there.
#[tokio::test]
async fn dependencies_come_in_any_order() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let extra = free_port();
    let network = |name: &str, port: u16| {
        format!("[network.{name}.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n")
    };
    cloud.change("edge", "pipeline", &echo("needy", "/needy").replace("\"public\"", "\"extra\""));
    cloud.change("edge", "pipeline", &echo("bad", "/bad").replace("\"public\"", "\"nowhere\""));
    let networks = network("public", gateway.port) + &network("management", gateway.admin);
    cloud.change("edge", "gateway", &(networks + &network("extra", extra)));
    let report = gateway.host.sync().await.unwrap();
    assert_eq!((report.applied.len(), report.rejected.len()), (2, 1), "{report:?}");
    assert!(live(format!("http://127.0.0.1:{extra}/needy")).await);
}

/// Of two changes of a document the older is superseded, unless the newer is rejected.
#[tokio::test]
async fn older_change_of_a_document() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let old = cloud.change("edge", "pipeline", &echo("a", "/a1"));
    let new = cloud.change("edge", "pipeline", &echo("a", "/a2"));
    let valid = cloud.change("edge", "pipeline", &echo("b", "/b1"));
    let invalid = cloud.change("edge", "pipeline", &echo("b", "/b2").replace("\"public\"", "\"nowhere\""));
    gateway.host.sync().await.unwrap();
    for (change, expected) in [
        (&old, Status::Failed),
        (&new, Status::Applied),
        (&valid, Status::Applied),
        (&invalid, Status::Failed),
    ] {
        assert_eq!(cloud.wait_until_settled(change).await.status, expected);
    }
    assert!(cloud.view(&old).error_message.unwrap_or_default().starts_with("superseded: "));
    assert!(live(gateway.url("/a2")).await && live(gateway.url("/b1")).await);
    assert!(!live(gateway.url("/a1")).await && !live(gateway.url("/b2")).await);
}

/// Two changes that only the application refuses: an address that is in use is found by halving too.
#[tokio::test]
async fn refused_activation_spares_the_others() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let config = on_ports(RUNBEAM_CONFIG, gateway.port, gateway.admin);
    let networks = &config[config.find("[network.public").unwrap()..config.find("[management]").unwrap()];
    let blocked = format!("{networks}[network.t.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n");
    for n in 0..5 {
        cloud.change("edge", "pipeline", &echo(&format!("p{n}"), &format!("/p{n}")));
    }
    cloud.change("edge", "gateway", &blocked);
    let report = gateway.host.sync().await.unwrap();
    assert_eq!((report.applied.len(), report.rejected.len()), (5, 1), "{report:?}");
    assert_eq!(report.rejected[0].class.as_deref(), Some("bind"));
    for n in 0..5 {
        assert!(live(gateway.url(&format!("/p{n}"))).await, "{n}");
    }
}
