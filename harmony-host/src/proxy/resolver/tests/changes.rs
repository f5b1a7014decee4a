//! Changes of the system's settings.

use hickory_resolver::Hosts;
use hickory_resolver::system_conf::parse_resolv_conf;
use tempfile::TempDir;

use super::*;

/// The settings of a machine whose name server never answers.
struct Machine {
    dir: TempDir,
    _name_server: UdpSocket,
    resolver: Resolver,
}

impl Machine {
    async fn new(hosts: &str, resolv_conf: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = [dir.path().join("resolv.conf"), dir.path().join("hosts")];
        let silent = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
        let port = silent.local_addr().unwrap().port();
        let from = files.clone();
        let read = Box::new(move || {
            let (config, _) = parse_resolv_conf(fs::read(&from[0])?).map_err(io::Error::other)?;
            let servers = vec![name_server(port)];
            let config =
                ResolverConfig::from_parts(config.domain().cloned(), config.search().to_vec(), servers);
            let mut resolver =
                built(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))?;
            let mut hosts = Hosts::default();
            hosts.read_hosts_conf(fs::File::open(&from[1])?)?;
            resolver.set_hosts(Arc::new(hosts));
            Ok(resolver)
        });
        let machine = Self { dir, _name_server: silent, resolver: Resolver::with(Settings { files, read }) };
        machine.write("hosts", hosts);
        machine.write("resolv.conf", resolv_conf);
        machine
    }

    /// Writes a file, with another time of its last change than it had.
    fn write(&self, file: &str, text: &str) {
        let path = self.dir.path().join(file);
        let before = fs::metadata(&path).and_then(|file| file.modified()).ok();
        while fs::metadata(&path).and_then(|file| file.modified()).ok() == before {
            fs::write(&path, text).unwrap();
        }
    }

    /// Replaces a file by another one that is just as old, as programs do that must never show half of a file.
    fn replace(&self, file: &str, text: &str) {
        let (new, old) = (self.dir.path().join("new"), self.dir.path().join(file));
        fs::write(&new, text).unwrap();
        let age = fs::metadata(&old).unwrap().modified().unwrap();
        fs::File::open(&new).unwrap().set_modified(age).unwrap();
        fs::rename(new, old).unwrap();
    }

    /// Returns the first address of a name; `None` for one that is not known.
    async fn address(&self, name: &str) -> Option<String> {
        let found = self.resolver.clone().call(name.parse().unwrap()).await;
        Some(found.ok()?.next()?.ip().to_string())
    }
}

/// Returns the lines of a name in a hosts file. Both families, so that no name server is asked for the other one.
fn host(name: &str, last: u8) -> String {
    format!("192.0.2.{last} {name}\n2001:db8::{last} {name}\n")
}

const NAME_SERVER: &str = "nameserver 127.0.0.1\n";

#[tokio::test(start_paused = true)]
async fn a_name_is_added_to_the_hosts_file() {
    let machine = Machine::new(&host("other.example", 1), NAME_SERVER).await;
    assert_eq!(machine.address("backend.example").await, None);
    machine.write("hosts", &(host("other.example", 1) + &host("backend.example", 2)));
    tokio::time::advance(CHECK_INTERVAL).await;
    assert_eq!(machine.address("backend.example").await.as_deref(), Some("192.0.2.2"));
}

#[tokio::test(start_paused = true)]
async fn an_address_in_the_hosts_file_changes() {
    let machine = Machine::new(&host("backend.example", 1), NAME_SERVER).await;
    assert_eq!(machine.address("backend.example").await.as_deref(), Some("192.0.2.1"));
    machine.write("hosts", &host("backend.example", 2));
    assert_eq!(machine.address("backend.example").await.as_deref(), Some("192.0.2.1"), "not looked at yet");
    tokio::time::advance(CHECK_INTERVAL).await;
    assert_eq!(machine.address("backend.example").await.as_deref(), Some("192.0.2.2"));
    machine.replace("hosts", &host("backend.example", 3));
    tokio::time::advance(CHECK_INTERVAL).await;
    assert_eq!(machine.address("backend.example").await.as_deref(), Some("192.0.2.3"), "another file");
}

#[tokio::test(start_paused = true)]
async fn a_search_domain_changes() {
    let hosts = host("backend.one.example", 1) + &host("backend.two.example", 2);
    let machine = Machine::new(&hosts, &format!("{NAME_SERVER}search one.example\n")).await;
    assert_eq!(machine.address("backend").await.as_deref(), Some("192.0.2.1"));
    machine.replace("resolv.conf", &format!("{NAME_SERVER}search two.example\n"));
    tokio::time::advance(CHECK_INTERVAL).await;
    assert_eq!(machine.address("backend").await.as_deref(), Some("192.0.2.2"));
}

/// Settings that cannot be read, as in the middle of a change, are read again.
#[tokio::test(start_paused = true)]
async fn unreadable_settings_are_read_again() {
    let machine = Machine::new(&host("backend.example", 1), "").await;
    assert_eq!(machine.address("backend.example").await, None);
    machine.write("resolv.conf", NAME_SERVER);
    assert_eq!(machine.address("backend.example").await.as_deref(), Some("192.0.2.1"));
}
