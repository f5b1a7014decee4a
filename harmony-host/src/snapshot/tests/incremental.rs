//! A snapshot that takes over parts of the one before is the same as one from nothing, whatever was edited.

use std::collections::BTreeMap;

use proptest::prelude::*;
use provider_api::UrlPath;

use super::*;
use crate::diagnostics::rejection::Rejection;
use crate::http::url_prefix::Scheme;
use crate::plan::route_table::RouteQuery;
use crate::plan::{Accepted, Location, Upstream};

/// The files that are edited.
pub(crate) const FILES: [&str; 7] = [
    "pipelines/a.toml",
    "pipelines/b.toml",
    "pipelines/c.toml",
    "pipelines/shared.toml",
    "mesh/m.toml",
    "mesh/n.toml",
    "config.toml",
];

/// A text for one of the files: of pipelines `p0` to `p3` with names, paths and members that often meet.
pub(crate) fn text(file: &'static str) -> BoxedStrategy<Option<String>> {
    let some = match file {
        "config.toml" => {
            let open = "[authentications.open]\nmethod = \"none\"\n";
            let management = "[management]\nenabled = true\nnetwork = \"inner\"\nbase_path = \"z\"\n";
            prop_oneof![3 => Just(String::new()), 1 => Just(open.to_owned()), 1 => Just(management.to_owned())]
                .prop_map(|more| format!("{CONFIG}{more}"))
                .boxed()
        }
        "pipelines/shared.toml" => shared().boxed(),
        "mesh/m.toml" => mesh("m").boxed(),
        "mesh/n.toml" => mesh("n").boxed(),
        _ => prop_oneof![
            3 => prop::collection::vec(plain(), 1..3).prop_map(|all| all.concat()),
            3 => equipped(),
            1 => borrowing(),
            1 => pipeline(),
        ]
        .boxed(),
    };
    match file {
        "config.toml" => some.prop_map(Some).boxed(),
        _ => prop_oneof![1 => Just(None), 9 => some.prop_map(Some)].boxed(),
    }
}

/// A pipeline with an endpoint and a backend of its own, as most are.
fn plain() -> impl Strategy<Value = String> {
    let paths = prop::sample::select(vec!["/x", "/y", "/z/1", "/z", "/shared1"]);
    let networks = prop::sample::select(vec!["\"public\"", "\"inner\"", "\"public\", \"inner\"", ""]);
    // One key that nobody knows, and one that is near a key that guards.
    let unknown =
        prop_oneof![6 => Just(""), 1 => Just("colour = 1\n"), 1 => Just("authenticatoin = \"open\"\n")];
    (0..5_u8, paths, networks, any::<[bool; 2]>(), unknown).prop_map(|(name, path, networks, [http, unused], unknown)| {
        let backend = if http { "service = \"http\"\noptions.base_url = \"http://u.example/r4\"" } else { "service = \"echo\"" };
        let more = if unused { format!("[backends.u{name}]\nservice = \"echo\"\n") } else { String::new() };
        format!(
            "[pipelines.p{name}]\nnetworks = [{networks}]\nendpoints = [\"e{name}\"]\nbackends = [\"b{name}\"]\n\
             [endpoints.e{name}]\nservice = \"http\"\n{unknown}options.path_prefix = \"{path}\"\n\
             [backends.b{name}]\n{backend}\n{more}"
        )
    })
}

/// A pipeline with an endpoint and a backend of its own, which name definitions of this file or another one.
fn equipped() -> impl Strategy<Value = String> {
    // Most name the one that some of the files define, and others do not.
    let middleware = prop_oneof![
        3 => Just("\"own\""),
        2 => prop::sample::select(vec!["", "\"passthru\"", "\"pass\"", "\"type\"", "\"by_name\"", "\"own\", \"pass\""]),
    ];
    // The last one is near a type that may be used without a definition.
    let defined = prop_oneof![
        3 => Just("[middleware.own]\ntype = \"passthru\"\n"),
        3 => Just("[middleware.own]\ntype = \"transform\"\n"),
        2 => Just(""),
        1 => Just("[middleware.own]\ntype = \"passthru\"\nauthentication = \"open\"\n"),
        1 => Just("[middleware.passthr]\ntype = \"passthru\"\n"),
    ];
    let endpoint = prop::sample::select(vec!["", "peer_ref = \"peer\"\n", "authentication = \"open\"\n"]);
    let backend = prop::sample::select(vec![
        "service = \"echo\"",
        "service = \"http\"\ntarget_ref = \"t\"",
        "service = \"http\"\nauthentication = \"open\"\noptions.base_url = \"http://u.example\"",
    ]);
    (0..5_u8, middleware, defined, endpoint, backend).prop_map(|(name, middleware, defined, endpoint, backend)| {
        format!(
            "[pipelines.p{name}]\nnetworks = [\"public\"]\nendpoints = [\"e{name}\"]\nbackends = [\"b{name}\"]\n\
             middleware = [{middleware}]\n{defined}\
             [endpoints.e{name}]\nservice = \"http\"\n{endpoint}options.path_prefix = \"/q{name}\"\n\
             [backends.b{name}]\n{backend}\n"
        )
    })
}

/// A pipeline with the endpoint and the backend of another file.
fn borrowing() -> impl Strategy<Value = String> {
    (0..5_u8, 0..3_u8, any::<bool>()).prop_map(|(name, of, mesh)| {
        let ingress = if mesh {
            format!("[pipelines.p{name}.mesh.ingress.i0]\ntype = \"http\"\nurls = [\"http://h0.example/in\"]\n")
        } else {
            String::new()
        };
        format!(
            "[pipelines.p{name}]\nnetworks = [\"public\"]\nendpoints = [\"e{of}\"]\nbackends = [\"b{of}\"]\n{ingress}"
        )
    })
}

fn pipeline() -> impl Strategy<Value = String> {
    let names = (0..4_u8, 0..3_u8, 0..3_u8);
    let parts = (
        prop::sample::select(vec!["\"public\"", "\"inner\"", "\"public\", \"inner\""]),
        prop::sample::select(vec!["/x", "/y", "/z/1", "/z"]),
        prop::sample::select(vec![
            "service = \"echo\"",
            "service = \"http\"\noptions.base_url = \"http://u.example/r4\"",
            "service = \"http\"\ntarget_ref = \"t\"",
            "service = \"http\"\ntarget_ref = \"local.local.ingress.name.i0\"",
        ]),
        prop::sample::select(vec!["", "\"mesh_auth\"", "\"by_name\"", "\"out\""]),
        prop::sample::select(vec!["", "peer_ref = \"peer\"\n", "authentication = \"open\"\n"]),
        prop::option::weighted(0.5, (0..3_u8, any::<bool>(), any::<bool>())),
        prop::option::weighted(0.3, 0..3_u8),
    );
    (names, parts).prop_map(|((name, endpoint, backend), parts)| {
        let (networks, path, destination, middleware, peer, ingress, egress) = parts;
        // A name without a definition in this file is that of another one.
        let (endpoint, backend) = (format!("e{endpoint}"), format!("b{backend}"));
        let mut text = format!(
            "[pipelines.p{name}]\nnetworks = [{networks}]\nendpoints = [\"{endpoint}\"]\nbackends = [\"{backend}\"]\n\
             middleware = [{middleware}]\n"
        );
        if let Some((ingress, enabled, mesh)) = ingress {
            let mode = if mesh { "mode = \"mesh\"\n" } else { "" };
            text += &format!(
                "[pipelines.p{name}.mesh.ingress.i{ingress}]\ntype = \"http\"\nenabled = {enabled}\n{mode}\
                 urls = [\"http://h{ingress}.example/in\"]\nendpoint = \"{endpoint}\"\n"
            );
        }
        if let Some(egress) = egress {
            text += &format!(
                "[pipelines.p{name}.mesh.egress.g{egress}]\ntype = \"http\"\nbackend = \"{backend}\"\n"
            );
        }
        if endpoint != "e2" {
            text += &format!("[endpoints.{endpoint}]\nservice = \"http\"\n{peer}options.path_prefix = \"{path}\"\n");
        }
        if backend != "b2" {
            text += &format!("[backends.{backend}]\n{destination}\n");
        }
        text
    })
}

/// Definitions that pipelines of other files name.
fn shared() -> impl Strategy<Value = String> {
    let more = prop::sample::select(vec![
        "",
        "[middleware.pass]\ntype = \"passthru\"\n",
        "[middleware.pass]\ntype = \"mesh_auth\"\n",
        "[middleware.pass]\ntype = \"transform\"\n[middleware.far]\ntype = \"passthru\"\n",
        "[middleware_types.type]\nmodule = \"x\"\n",
        "[authentications.open]\nmethod = \"none\"\n",
    ]);
    (any::<[bool; 3]>(), 0..3_u8, more).prop_map(|([enabled, http, required], path, more)| {
        let backend = if http { "service = \"http\"\ntarget_ref = \"t\"" } else { "service = \"echo\"" };
        format!(
            "[endpoints.e2]\nservice = \"http\"\noptions.path_prefix = \"/shared{path}\"\n[backends.b2]\n{backend}\n\
             [targets.t]\nconnection.host = \"t{path}.example\"\nconnection.protocol = \"http\"\n\
             [peers.peer]\nenabled = {enabled}\n\
             [middleware.by_name]\ntype = \"mesh_auth\"\n[middleware.by_name.options]\nrequired = {required}\nmesh_name = \"m\"\n\
             [middleware.out]\ntype = \"mesh_auth\"\n[middleware.out.options]\ndirection = \"egress\"\nrequired = false\n{more}"
        )
    })
}

fn mesh(name: &'static str) -> impl Strategy<Value = String> {
    let members = || prop::collection::btree_set(0..3_u8, 0..3);
    (members(), members(), any::<bool>(), 0..2_u8).prop_map(move |(ingress, egress, enabled, key)| {
        let list = |prefix: &str, all: std::collections::BTreeSet<u8>| {
            all.iter().map(|n| format!("\"{prefix}{n}\"")).collect::<Vec<_>>().join(", ")
        };
        format!(
            "[mesh.{name}]\ntype = \"http\"\nprovider = \"local\"\nauth_type = \"jwt\"\nenabled = {enabled}\n\
             jwt_secret = \"{key}123456789012345678901234567890123\"\ningress = [{}]\negress = [{}]\n",
            list("i", ingress),
            list("g", egress)
        )
    })
}

/// Everything about a snapshot that decides what happens to a request.
fn describe(built: &Result<Snapshot, Rejection>) -> Vec<String> {
    let snapshot = match built {
        Ok(snapshot) => snapshot,
        Err(rejection) => {
            let problems = rejection.problems.sorted().into_iter().map(ToString::to_string);
            return [format!("{}", rejection.class)].into_iter().chain(problems).collect();
        }
    };
    let mut lines: Vec<String> = snapshot.warnings.iter().map(ToString::to_string).collect();
    lines.extend(snapshot.config.pipelines.iter().map(|linked| format!("{linked:?}")));
    lines.extend(snapshot.config.meshes.iter().map(|linked| format!("{linked:?}")));
    lines.extend(snapshot.config.unused_backends.iter().map(|linked| format!("{linked:?}")));
    lines.extend(snapshot.providers.inventory().resources.iter().map(|resource| format!("{resource:?}")));
    lines.extend(routes(snapshot));
    lines
}

/// Returns the handling of requests, by network, host and path.
pub(crate) fn routes(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    let paths = [
        "/q0", "/q1", "/q2", "/q3", "/q4", "/x/1", "/y", "/z", "/z/1/2", "/shared0", "/shared1", "/shared2",
        "/in/1", "/other",
    ];
    let networks: BTreeMap<_, _> = snapshot.plans.tables.iter().collect();
    for (network, table) in networks {
        for host in ["any.example", "h0.example", "h1.example", "h2.example"] {
            for path in paths {
                let parsed = UrlPath::parse(path).unwrap();
                let query = RouteQuery { scheme: Scheme::Http, host, port: 80, path: &parsed };
                let Some(found) = table.find(&query).unwrap() else { continue };
                let route = found.route;
                let accepted: Vec<_> = route.admission.meshes.iter().map(shown).collect();
                lines.push(format!(
                    "{network} {host} {path}: {} {} {:?} {:?} {} {accepted:?} {:?} {}",
                    route.pipeline.name,
                    route.endpoint,
                    route.ingress,
                    route.closed,
                    route.admission.required,
                    route.pipeline.unserved,
                    upstream(&route.pipeline.upstream),
                ));
            }
        }
        lines.push(format!("{network}: {} branches", table.branches()));
    }
    lines
}

fn shown(accepted: &Accepted) -> String {
    format!("{} {:?}", accepted.mesh.identity.name, accepted.urls)
}

fn upstream(upstream: &Upstream) -> String {
    let Upstream::Http(http) = upstream else { return format!("{upstream:?}") };
    let names = |meshes: &[Arc<crate::plan::MeshPlan>]| -> Vec<String> {
        meshes.iter().map(|mesh| mesh.identity.name.clone()).collect()
    };
    format!(
        "{} {:?} {:?} {:?} {} {} {:?} {:?}",
        http.backend,
        match &http.location {
            Location::Url(base) => format!("{}{}", base.authority, base.path),
            Location::Resource(target) => target.reference.to_string(),
        },
        names(&http.egress),
        names(&http.other_meshes),
        http.mesh_only,
        http.token_only,
        http.only_below,
        http.timeout,
    )
}

/// A directory of files that are edited, and what a gateway has of it.
struct Edited {
    dir: tempfile::TempDir,
    layers: Layers,
    surroundings: Surroundings,
    /// The texts of the snapshot that is served.
    texts: [Option<String>; FILES.len()],
    read: Option<Arc<Documents>>,
    served: Option<Snapshot>,
}

impl Edited {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for below in ["pipelines", "mesh"] {
            fs::create_dir(dir.path().join(below)).unwrap();
        }
        let layers = Layers::base_only(&dir.path().join("config.toml"));
        let (texts, surroundings) = (Default::default(), surroundings());
        Self { dir, layers, surroundings, texts, read: None, served: None }
    }

    /// Edits a file, and builds a snapshot from what changed and one from everything. They are described in the same words.
    fn edit(&mut self, at: usize, text: Option<String>) -> Result<(), TestCaseError> {
        let touched = HashSet::from([write(self.dir.path(), FILES[at], text.as_ref())]);
        let documents = self.served.as_ref().map(|served| &*served.documents);
        let read = self.read.as_deref();
        let changed = read.map_or(Touched::Everything, |_| Touched::Files(touched));
        let quick = Documents::load(&self.layers, read, documents, &changed);
        let whole = Documents::load(&self.layers, None, documents, &Touched::Everything);
        prop_assert_eq!(quick.documents.digest(), whole.documents.digest());
        let (quick_documents, whole_documents) = (Arc::new(quick.documents), Arc::new(whole.documents));
        let quick = build(&quick_documents, quick.problems, &self.surroundings, self.served.as_ref());
        let whole = build(&whole_documents, whole.problems, &self.surroundings, None);
        prop_assert_eq!(describe(&quick), describe(&whole));
        self.read = Some(quick_documents);
        if let Ok(snapshot) = quick {
            self.served = Some(snapshot);
            self.texts[at] = text;
            return Ok(());
        }
        // The edit is taken back, so that the next one meets a configuration without problems.
        let touched = HashSet::from([write(self.dir.path(), FILES[at], self.texts[at].as_ref())]);
        let documents = self.served.as_ref().map(|served| &*served.documents);
        let read = self.read.as_deref();
        let restored = Documents::load(&self.layers, read, documents, &Touched::Files(touched));
        self.read = Some(Arc::new(restored.documents));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn an_incremental_snapshot_is_a_whole_one(
        edits in prop::collection::vec((0..FILES.len()).prop_flat_map(|at| (Just(at), text(FILES[at]))), 8..32),
    ) {
        let mut edited = Edited::new();
        edited.edit(FILES.len() - 1, Some(CONFIG.to_owned()))?;
        for (at, text) in edits {
            edited.edit(at, text)?;
        }
    }
}

/// A file with one pipeline, which names `used` and defines `defined` as a type.
fn with_middleware(name: &str, used: &str, defined: Option<(&str, &str)>) -> Option<String> {
    let defined = defined.map(|(name, kind)| format!("[middleware.{name}]\ntype = \"{kind}\"\n"));
    Some(format!(
        "[pipelines.{name}]\nnetworks = [\"public\"]\nendpoints = [\"{name}\"]\nbackends = [\"{name}\"]\n\
         middleware = [{used}]\n{}[endpoints.{name}]\nservice = \"http\"\noptions.path_prefix = \"/{name}\"\n\
         [backends.{name}]\nservice = \"echo\"\n",
        defined.unwrap_or_default()
    ))
}

/// An edit of a middleware changes the pipelines of other files that use it.
#[test]
fn middleware_of_another_file_is_followed() {
    let own = "\"own\"";
    for edits in [
        // The definition that another file uses changes its type, comes, or goes.
        [
            (1, with_middleware("y", own, Some(("own", "passthru")))),
            (0, with_middleware("x", own, None)),
            (1, with_middleware("y", own, Some(("own", "transform")))),
        ],
        [
            (1, with_middleware("y", own, Some(("own", "passthru")))),
            (0, with_middleware("x", own, None)),
            (1, with_middleware("y", own, Some(("other", "passthru")))),
        ],
        [
            (0, with_middleware("x", "\"passthru\"", None)),
            (1, with_middleware("y", "\"passthru\"", None)),
            (1, with_middleware("y", "\"passthru\"", Some(("passthru", "transform")))),
        ],
        // A middleware that is no longer used has a name like that of a type that another file uses.
        [
            (0, with_middleware("x", "\"passthru\"", None)),
            (1, with_middleware("y", "\"passthr\"", Some(("passthr", "passthru")))),
            (1, with_middleware("y", "", Some(("passthr", "passthru")))),
        ],
        [
            (0, with_middleware("x", "\"passthru\"", None)),
            (1, with_middleware("y", "", None)),
            (1, with_middleware("y", "", Some(("passthr", "passthru")))),
        ],
        [
            (1, with_middleware("y", "", Some(("passthr", "passthru")))),
            (0, with_middleware("x", "", None)),
            (0, with_middleware("x", "\"passthru\"", None)),
        ],
    ] {
        edit_all(edits);
    }
}

fn edit_all(edits: impl IntoIterator<Item = (usize, Option<String>)>) {
    let mut edited = Edited::new();
    edited.edit(FILES.len() - 1, Some(CONFIG.to_owned())).unwrap();
    for (at, text) in edits {
        edited.edit(at, text).unwrap();
    }
}

/// An edit of a member changes its mesh.
#[test]
fn members_of_a_mesh_are_followed() {
    let member = |name: &str, networks: &str, ingress: &str| {
        Some(format!(
            "[pipelines.{name}]\nnetworks = [{networks}]\nendpoints = [\"{name}\"]\nbackends = [\"{name}\"]\n\
             {ingress}[endpoints.{name}]\nservice = \"http\"\noptions.path_prefix = \"/{name}\"\n\
             [backends.{name}]\nservice = \"echo\"\n\
             [pipelines.{name}.mesh.egress.g0]\ntype = \"http\"\n"
        ))
    };
    let ingress = |name: &str, of: &str, more: &str| {
        format!("[pipelines.{name}.mesh.ingress.{of}]\ntype = \"http\"\n{more}")
    };
    let public = "\"public\"";
    let url = "urls = [\"http://h0.example/in\"]\n";
    let mesh = "[mesh.m]\ntype = \"http\"\nprovider = \"local\"\nauth_type = \"jwt\"\n\
                jwt_secret = \"0123456789012345678901234567890123\"\ningress = [\"i0\"]\n";
    for last in [
        member("x", public, &format!("description = \"new\"\n{}", ingress("x", "i0", url))),
        member("x", public, &ingress("x", "i0", "urls = [\"http://h1.example/in\"]\n")),
        member("x", public, &ingress("x", "i0", &format!("{url}enabled = false\n"))),
        member("x", public, &ingress("x", "i0", &format!("{url}mode = \"mesh\"\n"))),
        member("x", public, &ingress("x", "i1", url)),
        member("x", "\"inner\"", &ingress("x", "i0", url)),
        member("renamed", public, &ingress("renamed", "i0", url)),
        None,
    ] {
        edit_all([(0, member("x", public, &ingress("x", "i0", url))), (4, Some(mesh.to_owned())), (0, last)]);
    }
    // Another pipeline on the other network has the same URL, until it comes to this one.
    edit_all([
        (0, member("x", public, &ingress("x", "i0", url))),
        (1, member("y", "\"inner\"", &ingress("y", "i1", url))),
        (1, member("y", public, &ingress("y", "i1", url))),
    ]);
}
