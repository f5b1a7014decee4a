//! Differences of small configurations.
#![cfg(feature = "local")]

use std::path::Path;
use std::sync::Arc;

use provider_api::{ProviderName, SystemClock};

use crate::config::Capabilities;
use crate::difference::Differences;
use crate::difference::entry::{Kind, Sign};
use crate::documents::layers::Layers;
use crate::documents::origins::Origins;
use crate::documents::{Documents, Touched};
use crate::providers::Surroundings;
use crate::providers::resolutions::Resolutions;
use crate::snapshot::Snapshot;

const CONFIG: &str = "[proxy]\nid = \"edge\"\nprimary_provider = \"local\"\n\
                      [network.default.http]\nbind_address = \"127.0.0.1\"\nbind_port = 8080\n";

const MESH: &str = "[mesh.imaging]\nprovider = \"local\"\ntype = \"http\"\nauth_type = \"jwt\"\n\
                    jwt_secret = \"SECRET\"\ningress = [\"main\"]\n";

fn surroundings() -> Surroundings {
    let nowhere = Path::new("/nonexistent/harmony");
    Surroundings {
        registry: crate::registry(),
        default_provider: ProviderName::local(),
        capabilities: Arc::new(
            Capabilities::new().with_endpoint("http").with_backend("http").with_backend("echo"),
        ),
        allow_unknown_keys: false,
        clock: Arc::new(SystemClock),
        state_dir: nowhere.to_owned(),
        origins: Origins::open(nowhere, nowhere),
        resolutions: Resolutions::new(Arc::new(SystemClock), Vec::new()),
    }
}

fn pipeline(name: &str, path: &str, backend: &str) -> String {
    format!(
        "[pipelines.{name}]\nnetworks = [\"default\"]\nendpoints = [\"{name}\"]\nbackends = [\"{name}\"]\n\
         [endpoints.{name}]\nservice = \"http\"\noptions.path_prefix = \"{path}\"\n\
         [backends.{name}]\n{backend}\n"
    )
}

const ECHO: &str = "service = \"echo\"";

/// Configurations on the disk, one after the other.
struct Disk {
    dir: tempfile::TempDir,
    live: Option<Snapshot>,
}

impl Disk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["pipelines", "mesh"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir, live: None }
    }

    /// Writes files, and returns the differences that they make.
    fn write(&mut self, files: &[(&str, &str)]) -> Differences {
        for (name, text) in files {
            let path = self.dir.path().join(name);
            match text.is_empty() {
                true => std::fs::remove_file(path).unwrap(),
                false => std::fs::write(path, text).unwrap(),
            }
        }
        let before = self.live.take();
        let layers = Layers::base_only(&self.dir.path().join("config.toml"));
        let read = before.as_ref().map(|before| &*before.documents);
        let loaded = Documents::load(&layers, read, read, &Touched::Everything);
        let built =
            Snapshot::build(Arc::new(loaded.documents), loaded.problems, 1, &surroundings(), before.as_ref());
        let snapshot = built.unwrap();
        let differences = Differences::between(before.as_ref(), &snapshot);
        self.live = Some(snapshot);
        differences
    }
}

fn texts(differences: &Differences) -> Vec<&str> {
    differences.differences.iter().map(|one| one.text.as_str()).collect()
}

#[test]
fn pipelines_and_routes() {
    let mut disk = Disk::new();
    let hello = pipeline("hello", "/hello", ECHO);
    let first = disk.write(&[("config.toml", CONFIG), ("pipelines/a.toml", &hello)]);
    assert!(first.differences.iter().all(|one| one.sign == Sign::Added), "{first:?}");
    assert!(texts(&first).contains(&"added listener 127.0.0.1:8080: opens, network default"), "{first:?}");

    let images = pipeline("images", "/images", "service = \"http\"\noptions.base_url = \"http://h/r4\"");
    let second = disk.write(&[("pipelines/a.toml", ""), ("pipelines/b.toml", &images)]);
    assert_eq!(
        texts(&second),
        [
            "removed pipeline hello",
            "added pipeline images: leads to http://h/r4",
            "removed route /hello on default",
            "added route /images on default: leads to pipeline images",
            "removed endpoint hello",
            "added endpoint images",
            "removed backend hello",
            "added backend images",
        ]
    );
    let moved = disk.write(&[("pipelines/b.toml", ""), ("pipelines/c.toml", &images)]);
    assert!(moved.is_empty() && moved.files == 2, "a definition in another file is the same: {moved:?}");
    assert_eq!(moved.line(), "no difference in meaning: 2 files have another text");

    let third = images.replace("http://h/r4", "https://other.example/x");
    let third = disk.write(&[("pipelines/c.toml", &third)]);
    assert_eq!(
        texts(&third),
        [
            "changed pipeline images: now leads to https://other.example/x (was http://h/r4)",
            "changed backend images: options.base_url now \"https://other.example/x\" (was \"http://h/r4\")",
        ]
    );
    let fourth = disk.write(&[("pipelines/c.toml", "# nothing\n")]);
    assert_eq!(
        fourth.line(),
        "removed pipeline images; removed route /images on default; removed endpoint images; removed backend images"
    );
}

#[test]
fn members_admission_and_secrets() {
    let mut disk = Disk::new();
    let ingress = "[pipelines.a.mesh.ingress.main]\ntype = \"http\"\nmode = \"mesh\"\n\
                   urls = [\"http://a.example/in\"]\n";
    let guarded = pipeline("a", "/a", ECHO) + ingress;
    let mesh = |secret: &str| MESH.replace("SECRET", secret);
    let (one, two) = ("kD8vQz71LpXw93NbYt5RfGh2JmCs6AeU", "Zt5RfGh2JmCs6AeUkD8vQz71LpXw93Nb");
    disk.write(&[("config.toml", CONFIG), ("pipelines/a.toml", &guarded)]);
    let joined = disk.write(&[("mesh/m.toml", &mesh(one))]);
    assert_eq!(
        texts(&joined),
        [
            "changed route /a on default: now requires a token of mesh imaging (before: refuses every request: a mesh token is required, and no mesh has the route)",
            "changed route http://a.example/in on default: now requires a token of mesh imaging (before: refuses every request: a mesh token is required, and no mesh has the route)",
            "added mesh imaging",
            "added mesh member ingress main of pipeline a of mesh imaging",
        ]
    );
    let other = disk.write(&[("mesh/m.toml", &mesh(two))]);
    assert_eq!(texts(&other), ["changed mesh imaging: jwt_secret changed"]);
    let described = guarded.replacen('\n', "\ndescription = \"Bearer canary-value\"\n", 1);
    let described = disk.write(&[("pipelines/a.toml", &described)]);
    assert_eq!(texts(&described), ["changed pipeline a: description set"], "a secret in an open key");
    let text = serde_json::to_string(&[other, described]).unwrap();
    assert!(!text.contains(one) && !text.contains(two), "{text}");
}

#[test]
fn settings_and_listeners() {
    let mut disk = Disk::new();
    disk.write(&[("config.toml", CONFIG)]);
    let more = "[management]\nenabled = true\ntoken = \"0123456789abcdef0123456789abcdef\"\n";
    let text = CONFIG.replace("8080", "8081").replace("id = \"edge\"", "id = \"core\"");
    let changed = disk.write(&[("config.toml", &format!("{text}{more}"))]);
    assert_eq!(
        texts(&changed),
        [
            "removed listener 127.0.0.1:8080: closes, network default",
            "added listener 127.0.0.1:8081: opens, network default",
            "added listener 127.0.0.1:9090: opens, network management (default), with the management API",
            "changed network default: http.bind_port now 8081 (was 8080)",
            "added management setting management.enabled: set to true",
            "added management setting management.token: set",
            "changed setting proxy.id: now \"core\" (was \"edge\")",
        ]
    );
}

/// Differences beyond the limit are counted.
#[test]
fn many_are_bounded() {
    let mut disk = Disk::new();
    disk.write(&[("config.toml", CONFIG)]);
    let all: String = (0..400).map(|n| pipeline(&format!("p{n:03}"), &format!("/p{n}"), ECHO)).collect();
    let many = disk.write(&[("pipelines/all.toml", &all)]);
    assert_eq!((many.differences.len(), many.count()), (super::bound::MAX_DIFFERENCES, 1_600));
    assert!(many.line().ends_with("; and 1594 more") && many.line().len() < 1_500, "{}", many.line());
    assert_eq!(many.differences.first().map(|one| one.kind), Some(Kind::Pipeline));
    let json = serde_json::to_string(&many).unwrap();
    assert_eq!(serde_json::from_str::<Differences>(&json).unwrap(), many, "the saved form is read again");
}
