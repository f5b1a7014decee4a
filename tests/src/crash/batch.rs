//! The changes of a crash test, and the requests that show which of them are live.

use super::network::Network;
use crate::client;
use crate::control_plane::ControlPlane;
use crate::free_port;
use crate::site::echo;

/// A change, and the request that shows if it is live.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: &'static str,
    /// The id at the control plane.
    pub(super) id: String,
    /// True if the change must be applied in the end.
    pub(super) valid: bool,
    /// True if the change may be rejected first and applied later, because it depends on a change that may arrive
    /// later.
    pub(super) may_fail_first: bool,
    url: String,
    probe: Probe,
}

#[derive(Debug)]
enum Probe {
    /// 200 with the pipeline's name in the echo.
    Echo,
    /// An error status that only this pipeline returns.
    Status(u16),
    /// Any response: a listener is open.
    Listens,
}

/// The ports on which a gateway listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) public: u16,
    pub(super) admin: u16,
    extra: u16,
    evil: u16,
}

impl Ports {
    pub(super) fn free() -> Self {
        Self { public: free_port(), admin: free_port(), extra: free_port(), evil: free_port() }
    }
}

/// Issues changes of every kind: valid ones, one with two files, one that depends on another, an invalid one, and one
/// that a control plane is not allowed to make.
pub(super) fn issue_all(cloud: &ControlPlane, ports: Ports, network: Network, seed: u64) -> Vec<Item> {
    let Ports { public, admin, extra, evil } = ports;
    let section = |name: &str, port: u16| {
        format!("[network.{name}.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n")
    };
    let own = section("public", public) + &section("management", admin);
    let shape = cloud.transform("edge", "shape", r#"[{"operation":"shift","spec":{"a":"b"}}]"#);
    let shaped = echo("shaped", "/shaped").replace("backends =", "middleware = [\"shape\"]\nbackends =")
        + &format!("[middleware.shape]\ntype = \"transform\"\noptions.spec_path = \"{shape}.json\"\n");
    let bad = echo("bad", "/bad").replace("endpoints = [\"bad\"]", "endpoints = [\"nowhere\"]");
    let widened = own.clone() + &section("extra", extra);
    let usurping = own + &section("evil", evil) + "[management]\nenabled = false\n";
    let needy = echo("needy", "/needy").replace("\"public\"", "\"extra\"");
    let at = |port: u16, path: &str| format!("http://127.0.0.1:{port}{path}");
    let mut all = vec![
        ("first", "pipeline", echo("first", "/first"), true, at(public, "/first"), Probe::Echo),
        ("bad", "pipeline", bad, false, at(public, "/bad"), Probe::Echo),
        ("widened", "gateway", widened, true, at(extra, "/"), Probe::Listens),
        ("needy", "pipeline", needy, true, at(extra, "/needy"), Probe::Echo),
        ("shaped", "pipeline", shaped, true, at(public, "/shaped"), Probe::Status(501)),
        ("usurping", "gateway", usurping, false, at(evil, "/"), Probe::Listens),
        ("last", "pipeline", echo("last", "/last"), true, at(public, "/last"), Probe::Echo),
    ];
    if seed != 0 {
        fastrand::Rng::with_seed(seed).shuffle(&mut all);
    }
    let any_order = seed != 0 || network == Network::Reversed;
    let put = |(name, kind, toml, valid, url, probe): (_, &str, String, _, _, _)| {
        let id = cloud.change("edge", kind, &toml);
        Item { name, id, valid, may_fail_first: any_order && name == "needy", url, probe }
    };
    all.into_iter().map(put).collect()
}

/// Issues one more valid change.
pub(super) fn issue_another(cloud: &ControlPlane, ports: Ports) -> Item {
    let id = cloud.change("edge", "pipeline", &echo("another", "/another"));
    let url = format!("http://127.0.0.1:{}/another", ports.public);
    Item { name: "another", id, valid: true, may_fail_first: false, url, probe: Probe::Echo }
}

impl Item {
    /// Requests the change's URL and returns true if the change is live.
    pub(super) async fn is_live(&self) -> Result<bool, String> {
        let Ok(answer) = client().get(&self.url).send().await else { return Ok(false) };
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|error| format!("{}: {error}", self.url))?;
        match (&self.probe, status) {
            (Probe::Listens, _) => Ok(true),
            (_, 404) => Ok(false),
            (Probe::Status(own), _) if *own == status => Ok(true),
            (Probe::Echo, 200) => Ok(text.contains(&format!("\"pipeline\":\"{}\"", self.name))),
            _ => Err(format!("{} returned {status}: {text}", self.url)),
        }
    }
}
