//! The open ports of the process: the host opens none, whatever the configuration is.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::net::TcpListener;

use harmony_tests::control_plane::{ControlPlane, Status};
use harmony_tests::free_port;

use crate::embedded::{Embedded, network};

/// The TCP ports that a process listens on.
fn listening(pid: u32) -> BTreeSet<u16> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let own: HashSet<String> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let mut ports = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        let sockets = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap();
        for socket in sockets.lines().skip(1) {
            let columns: Vec<&str> = socket.split_whitespace().collect();
            let (local, state, inode) = (columns[1], columns[3], columns[9]);
            if state == "0A" && own.contains(&format!("socket:[{inode}]")) {
                ports.insert(u16::from_str_radix(local.rsplit(':').next().unwrap(), 16).unwrap());
            }
        }
    }
    ports
}

#[tokio::test]
async fn change_with_a_network_opens_no_port() {
    let cloud = ControlPlane::start().await;
    let app = Embedded::following(&cloud, "").await;
    assert_eq!(listening(app.process.pid()), [app.port].into());
    let late = free_port();
    let sections = network("public", app.port) + &network("late", late);
    let change = cloud.change("edge", "gateway", &sections);
    let view = cloud.wait_until_settled(&change).await;
    assert_eq!(view.status, Status::Applied, "{view:?}");
    assert!(app.dir.read("config.toml").contains("[network.late"));
    assert_eq!(listening(app.process.pid()), [app.port].into());
    TcpListener::bind(("127.0.0.1", late)).expect("the port is free");
}

#[tokio::test]
async fn port_of_another_process_is_no_obstacle() {
    // The other process binds the port first, before the start and before the edit.
    let (first, second) = (free_port(), free_port());
    let _held = [first, second].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    let app = Embedded::local(&network("first", first)).await;
    assert_eq!(app.get("/first/Patient/1").await.0, 200);
    let config = app.dir.read("config.toml");
    app.dir.replace("config.toml", &(config + &network("second", second)));
    app.wait_for_generation(2).await;
    assert_eq!(listening(app.process.pid()), [app.port].into());
    // The other process binds the port of a network that is already live.
    let third = free_port();
    let config = app.dir.read("config.toml");
    app.dir.replace("config.toml", &(config + &network("third", third)));
    app.wait_for_generation(3).await;
    TcpListener::bind(("127.0.0.1", third)).expect("the port is free");
    assert_eq!(app.get("/first/Patient/1").await.0, 200);
}
