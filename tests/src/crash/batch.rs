use super::wire::Wire;
use crate::client;
use crate::control_plane::ControlPlane;
use crate::free_port;
use crate::site::echo;

/// A change, and where a request shows whether it is live.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: &'static str,
    /// Its id at the control plane.
    pub(super) id: String,
    /// Whether it is to be applied in the end.
    pub(super) good: bool,
    /// Whether it may be rejected before it is applied, because what it needs may come later.
    pub(super) patient: bool,
    url: String,
    shows: Shows,
}

#[derive(Debug)]
enum Shows {
    /// The echo names the pipeline.
    Echo,
    /// A refusal that is the pipeline's own.
    Status(u16),
    /// Any answer at all.
    Listens,
}

/// Where a gateway listens.
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

/// Puts changes of every kind at the control plane: good ones, one with two files, one that needs another, one that
/// is wrong, and one that a control plane may not make.
pub(super) fn put(cloud: &ControlPlane, ports: Ports, wire: Wire, seed: u64) -> Vec<Item> {
    let Ports { public, admin, extra, evil } = ports;
    let network = |name: &str, port: u16| {
        format!("[network.{name}.http]\nbind_address = \"127.0.0.1\"\nbind_port = {port}\n")
    };
    let own = network("public", public) + &network("management", admin);
    let shape = cloud.transform("edge", "shape", r#"[{"operation":"shift","spec":{"a":"b"}}]"#);
    let shaped = echo("shaped", "/shaped").replace("backends =", "middleware = [\"shape\"]\nbackends =")
        + &format!("[middleware.shape]\ntype = \"transform\"\noptions.spec_path = \"{shape}.json\"\n");
    let bad = echo("bad", "/bad").replace("endpoints = [\"bad\"]", "endpoints = [\"nowhere\"]");
    let widened = own.clone() + &network("extra", extra);
    let usurping = own + &network("evil", evil) + "[management]\nenabled = false\n";
    let needy = echo("needy", "/needy").replace("\"public\"", "\"extra\"");
    let at = |port: u16, path: &str| format!("http://127.0.0.1:{port}{path}");
    let mut all = vec![
        ("first", "pipeline", echo("first", "/first"), true, at(public, "/first"), Shows::Echo),
        ("bad", "pipeline", bad, false, at(public, "/bad"), Shows::Echo),
        ("widened", "gateway", widened, true, at(extra, "/"), Shows::Listens),
        ("needy", "pipeline", needy, true, at(extra, "/needy"), Shows::Echo),
        ("shaped", "pipeline", shaped, true, at(public, "/shaped"), Shows::Status(501)),
        ("usurping", "gateway", usurping, false, at(evil, "/"), Shows::Listens),
        ("last", "pipeline", echo("last", "/last"), true, at(public, "/last"), Shows::Echo),
    ];
    if seed != 0 {
        fastrand::Rng::with_seed(seed).shuffle(&mut all);
    }
    let any_order = seed != 0 || wire == Wire::Reversed;
    let put = |(name, kind, toml, good, url, shows): (_, &str, String, _, _, _)| {
        let id = cloud.change("edge", kind, &toml);
        Item { name, id, good, patient: any_order && name == "needy", url, shows }
    };
    all.into_iter().map(put).collect()
}

/// One more good change.
pub(super) fn put_another(cloud: &ControlPlane, ports: Ports) -> Item {
    let id = cloud.change("edge", "pipeline", &echo("another", "/another"));
    let url = format!("http://127.0.0.1:{}/another", ports.public);
    Item { name: "another", id, good: true, patient: false, url, shows: Shows::Echo }
}

impl Item {
    /// Whether a request shows that it is live.
    pub(super) async fn is_live(&self) -> Result<bool, String> {
        let Ok(answer) = client().get(&self.url).send().await else { return Ok(false) };
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|broken| format!("{}: {broken}", self.url))?;
        match (&self.shows, status) {
            (Shows::Listens, _) => Ok(true),
            (_, 404) => Ok(false),
            (Shows::Status(own), _) if *own == status => Ok(true),
            (Shows::Echo, 200) => Ok(text.contains(&format!("\"pipeline\":\"{}\"", self.name))),
            _ => Err(format!("{} answers {status}: {text}", self.url)),
        }
    }
}
