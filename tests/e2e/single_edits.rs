//! No single edit of a key turns a refused request into a served one.

use std::collections::BTreeSet;

use harmony_host::{Capabilities, HostOptions, RequestHead, Scheme, Snapshot};
use harmony_tests::{Forged, Identity, Workdir, rsa_pair};
use http::HeaderMap;
use http::header::AUTHORIZATION;

const CONFIG: &str = r#"[proxy]
id = "site"
primary_provider = "local"
pipelines_path = "pipelines"
mesh_path = "mesh"
[proxy.content_limits]
max_body_size = 4096
[management]
enabled = true
network = "inside"
base_path = "admin"
token = "0123456789abcdef0123456789abcdef"
[network.inside.http]
bind_address = "127.0.0.1"
bind_port = 1
[network.public.http]
bind_address = "127.0.0.1"
bind_port = 2
cert_path = "cert.pem"
key_path = "key.pem"
[network.plain.tcp_config]
bind_address = "127.0.0.1"
bind_port = 3
force_https = true
[network.tunnel]
enable_wireguard = true
[network.tunnel.http]
bind_address = "127.0.0.1"
bind_port = 4
[peers.hospital]
authentication = "authentications.jwt"
[peers.gone]
enabled = false
[targets.store]
enabled = false
connection.host = "store.example"
connection.protocol = "http"
[targets.signed]
authentication = "authentications.jwt"
connection.host = "signed.example"
[authentications.jwt]
method = "jwt"
"#;

const MESHES: &str = r#"[mesh.clinic]
id = "01CLINIC"
type = "http"
provider = "local"
auth_type = "jwt"
jwt_secret = "a-mesh-secret-of-more-than-32-bytes-for-tests"
ingress = ["records", "second", "chosen", "theirs"]
egress = ["away"]
enabled = true
[mesh.signed]
type = "http"
provider = "local"
jwt_private_key_path = "private.pem"
jwt_public_key_path = "public.pem"
ingress = ["signed"]
[mesh.off]
type = "http"
provider = "local"
jwt_secret = "another-secret-of-more-than-32-bytes-for-tests"
ingress = ["off"]
enabled = false
[remote_ingress.theirs]
urls = ["https://theirs.example/r4"]
"#;

const PIPELINES: &str = r#"[pipelines.records]
networks = ["public", "plain", "tunnel"]
endpoints = ["records", "second"]
backends = ["echo"]
[pipelines.records.mesh.ingress.records]
type = "http"
mode = "mesh"
endpoint = "records"
urls = ["https://a.example/records"]
[pipelines.records.mesh.ingress.second]
mode = "mesh"
endpoint = "second"
urls = ["https://a.example/second"]
enabled = false
[pipelines.signed]
networks = ["public"]
endpoints = ["signed"]
backends = ["echo"]
[pipelines.signed.mesh.ingress.signed]
mode = "mesh"
urls = ["https://a.example/signed"]
[pipelines.off]
networks = ["public"]
endpoints = ["off"]
backends = ["echo"]
[pipelines.off.mesh.ingress.off]
mode = "mesh"
urls = ["https://a.example/off"]
[pipelines.guarded]
networks = ["public"]
endpoints = ["guarded"]
middleware = ["token"]
backends = ["echo"]
[pipelines.chosen]
networks = ["public"]
endpoints = ["chosen"]
middleware = ["mesh_auth"]
backends = ["echo"]
[pipelines.chosen.mesh.ingress.chosen]
endpoint = "chosen"
urls = ["https://a.example/chosen"]
[pipelines.outward]
networks = ["public"]
endpoints = ["outward"]
middleware = ["outward"]
backends = ["header-free"]
[pipelines.below]
networks = ["public"]
endpoints = ["below"]
middleware.outgoing = ["below"]
backends = ["theirs"]
[pipelines.incoming]
networks = ["public"]
endpoints = ["incoming"]
middleware = { incoming = ["jwt_auth"], outgoing = ["passthru"] }
backends = ["echo"]
[pipelines.outgoing]
networks = ["public"]
endpoints = ["outgoing"]
middleware.outgoing = ["jwt_auth"]
backends = ["echo"]
[pipelines.left]
networks = ["public"]
endpoints = ["left"]
middleware.left = ["jwt_auth"]
backends = ["echo"]
[pipelines.right]
networks = ["public"]
endpoints = ["right"]
middleware.right = ["jwt_auth"]
backends = ["echo"]
[pipelines.peers]
networks = ["public"]
endpoints = ["inherited", "own"]
backends = ["echo"]
[pipelines.closed]
networks = ["public"]
endpoints = ["closed"]
backends = ["echo"]
[pipelines.leaving]
networks = ["public"]
endpoints = ["leaving"]
backends = ["leaving"]
[pipelines.leaving.mesh.egress.away]
mode = "mesh"
backend = "leaving"
[pipelines.store]
networks = ["public"]
endpoints = ["store"]
backends = ["store"]
[pipelines.sent]
networks = ["public"]
endpoints = ["sent"]
backends = ["sent"]
[pipelines.header]
networks = ["public"]
endpoints = ["header"]
backends = ["header"]
[pipelines.open]
networks = ["public", "plain"]
endpoints = ["open"]
backends = ["echo"]
[endpoints.records]
service = "http"
options.path_prefix = "/records"
[endpoints.second]
service = "http"
options.path_prefix = "/second"
[endpoints.signed]
service = "http"
options.path_prefix = "/signed"
[endpoints.off]
service = "http"
options.path_prefix = "/off"
[endpoints.guarded]
service = "http"
options.path_prefix = "/guarded"
[endpoints.chosen]
service = "http"
options.path_prefix = "/chosen"
[endpoints.outward]
service = "http"
options.path_prefix = "/outward"
[endpoints.below]
service = "http"
options.path_prefix = "/below"
[endpoints.incoming]
service = "http"
options.path_prefix = "/incoming"
[endpoints.outgoing]
service = "http"
options.path_prefix = "/outgoing"
[endpoints.left]
service = "http"
options.path_prefix = "/left"
[endpoints.right]
service = "http"
options.path_prefix = "/right"
[endpoints.inherited]
service = "http"
peer_ref = "hospital"
options.path_prefix = "/inherited"
[endpoints.own]
service = "http"
authentication = "authentications.jwt"
options.path_prefix = "/own"
[endpoints.closed]
service = "http"
peer_ref = "gone"
options.path_prefix = "/closed"
[endpoints.leaving]
service = "http"
options.path_prefix = "/leaving"
[endpoints.store]
service = "http"
options.path_prefix = "/store"
[endpoints.sent]
service = "http"
options.path_prefix = "/sent"
[endpoints.header]
service = "http"
options.path_prefix = "/header"
[endpoints.open]
service = "http"
options.path_prefix = "/open"
[backends.echo]
service = "echo"
[backends.header-free]
service = "http"
options.base_url = "https://elsewhere.example"
[backends.theirs]
service = "http"
options.base_url = "https://theirs.example"
[backends.leaving]
service = "http"
options.base_url = "https://theirs.example/r4"
[backends.store]
service = "http"
target_ref = "store"
[backends.sent]
service = "http"
target_ref = "signed"
[backends.header]
service = "http"
authentication = "authentications.jwt"
options.base_url = "http://c.example"
[middleware.token]
type = "mesh_auth"
options.direction = "ingress"
options.required = true
[middleware.mesh_auth]
type = "mesh_auth"
options.mesh_name = "signed"
options.provider = "local"
options.jwt_key_path = "public.pem"
[middleware.outward]
type = "mesh_auth"
options.direction = "egress"
options.mesh_id = "01CLINIC"
options.jwt_secret = "a-mesh-secret-of-more-than-32-bytes-for-tests"
[middleware.below]
type = "mesh_auth"
options.direction = "egress"
options.mesh_name = "clinic"
options.destination_url = "https://theirs.example/r4"
[middleware.jwt_auth]
type = "jwt_auth"
"#;

/// A request, by network, scheme, host, path and mesh of its token.
type Request = (&'static str, Scheme, &'static str, String, Option<&'static str>);

fn requests() -> Vec<Request> {
    let paths = [
        "records",
        "second",
        "signed",
        "off",
        "guarded",
        "chosen",
        "outward",
        "below",
        "incoming",
        "outgoing",
        "left",
        "right",
        "inherited",
        "own",
        "closed",
        "leaving",
        "store",
        "sent",
        "header",
        "open",
        "",
    ];
    let listeners = [
        ("public", Scheme::Https),
        ("public", Scheme::Http),
        ("plain", Scheme::Http),
        ("tunnel", Scheme::Http),
    ];
    let mut all = Vec::new();
    for (network, scheme) in listeners {
        for (host, token) in [("a.example", None), ("127.0.0.1", None), ("a.example", Some("none-such"))] {
            for path in paths {
                all.push((network, scheme, host, format!("/{path}/x"), token));
            }
        }
        // The token of a mesh of the pipeline, which accepts those of another one only.
        all.push((network, scheme, "127.0.0.1", "/chosen/x".to_owned(), Some("clinic")));
    }
    all
}

/// Returns the requests that are served: admitted, and with a destination where they leave.
async fn served(snapshot: &Snapshot, requests: &[Request]) -> BTreeSet<usize> {
    let mut served = BTreeSet::new();
    for (at, (network, scheme, host, path, token)) in requests.iter().enumerate() {
        // The listener decides which of TLS and cleartext comes in.
        let listener =
            snapshot.networks().find(|found| found.name() == *network && found.address().is_some());
        if listener.is_none_or(|listener| listener.is_tls() != (*scheme == Scheme::Https)) {
            continue;
        }
        let mut headers = HeaderMap::new();
        if let Some(mesh) = token {
            headers.insert(
                AUTHORIZATION,
                format!("Bearer {}", Forged::of(mesh).claim("mesh_id", "01CLINIC".into()).jwt())
                    .parse()
                    .unwrap(),
            );
        }
        let head = RequestHead::new(network, *scheme, host, path, &headers);
        let Ok(admitted) = snapshot.admit(&head).await else { continue };
        if snapshot.destination(&admitted).await.is_ok() {
            served.insert(at);
        }
    }
    served
}

/// The keys whose values are words that must not be short of a letter.
const WORDS: [&str; 11] = [
    "mode",
    "type",
    "provider",
    "auth_type",
    "service",
    "options.direction",
    "options.mesh_name",
    "options.mesh_id",
    "options.provider",
    "options.jwt_secret",
    "options.jwt_key_path",
];

/// One-letter mistakes of a word: a letter left out, doubled, replaced, or exchanged with the next.
fn misspellings(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    let mut all = Vec::new();
    for at in 0..letters.len() {
        let (mut left_out, mut doubled, mut replaced, mut exchanged) =
            (letters.clone(), letters.clone(), letters.clone(), letters.clone());
        left_out.remove(at);
        doubled.insert(at, letters[at]);
        replaced[at] = if letters[at] == 'q' { 'x' } else { 'q' };
        all.extend([left_out, doubled, replaced]);
        if at + 1 < letters.len() {
            exchanged.swap(at, at + 1);
            all.push(exchanged);
        }
    }
    all.into_iter().map(String::from_iter).filter(|text: &String| !text.is_empty() && text != word).collect()
}

/// The edits of one line: its key or section misspelled, its value of another type, its word short of a letter.
fn edits(line: &str) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(path) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let parts: Vec<&str> = path.split('.').collect();
        for at in 0..parts.len() {
            for misspelled in misspellings(parts[at]) {
                let mut edited: Vec<&str> = parts.clone();
                edited[at] = &misspelled;
                all.push(format!("[{}]", edited.join(".")));
            }
            let mut shouted = parts.clone();
            let upper = parts[at].to_uppercase();
            shouted[at] = &upper;
            all.push(format!("[{}]", shouted.join(".")));
            // A part of the path in quotes is one name.
            let (before, quoted) = parts.split_at(at);
            let before: String = before.iter().map(|part| format!("{part}.")).collect();
            all.push(format!("[{before}\"{}\"]", quoted.join(".")));
        }
        all.extend([format!("[{}]", parts[1..].join(".")), format!("[x.{path}]"), format!("[[{path}]]")]);
        if path.contains("mesh.") {
            all.push(format!("{line}\nenabled = false"));
        }
        return all;
    }
    let Some((key, value)) = line.split_once(" = ") else { return all };
    let parts: Vec<&str> = key.split('.').collect();
    for at in 0..parts.len() {
        for misspelled in misspellings(parts[at]) {
            let mut edited: Vec<&str> = parts.clone();
            edited[at] = &misspelled;
            all.push(format!("{} = {value}", edited.join(".")));
        }
    }
    all.extend([format!("\"{key}\" = {value}"), format!("{} = {value}", key.to_uppercase())]);
    for other in
        ["7", "0", "true", "\"true\"", "\"x\"", "[]", "[\"x\"]", "{}", "{ x = 1 }", "1.5", "1979-05-27"]
    {
        // `[]` of a list and the other value of a flag are other values, not other types. So is `[]` for the sides of a
        // middleware: both are types of it, and `[]` says in plain words that there is none.
        let same_type = value.starts_with('[') && other.starts_with('[')
            || value.starts_with('"') && other.starts_with('"')
            || value.starts_with('{') && other.starts_with(['{', '['])
            || value.parse::<u64>().is_ok() && other.parse::<u64>().is_ok()
            || value == "true" && other == "true"
            || value == "false" && other == "true";
        if !same_type {
            all.push(format!("{key} = {other}"));
        }
    }
    all.push(format!("{key} = [{value}]"));
    let word = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    if let Some(word) = word.filter(|_| WORDS.contains(&key)) {
        all.extend((0..word.len()).map(|at| format!("{key} = \"{}{}\"", &word[..at], &word[at + 1..])));
    }
    // Names inside of lists and inline tables, for the keys that they hold.
    for inner in ["incoming", "outgoing"].iter().filter(|inner| value.contains(&format!("{inner} = "))) {
        all.extend(
            misspellings(inner).iter().map(|wrong| format!("{key} = {}", value.replace(inner, wrong))),
        );
    }
    all
}

/// The spellings of a key in another case, or with letters or words more.
fn respellings(line: &str) -> Vec<String> {
    let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('[')) else {
        return Vec::new();
    };
    let (above, own) = key.rsplit_once('.').map_or(("", key), |(above, own)| (above, own));
    let dot = if above.is_empty() { "" } else { "." };
    let capital = own[..1].to_uppercase() + &own[1..];
    let camel = own.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect::<String>();
    let spellings = [
        capital,
        camel,
        own.replace('_', "-"),
        own.replace('_', ""),
        format!("\"{own} \""),
        format!("{own}s"),
        format!("{own}_ref"),
        format!("the_{own}"),
        format!("my-{own}"),
        format!("is_{own}_now"),
    ];
    let spellings = spellings.into_iter().filter(|other| other != own);
    spellings.map(|other| format!("{above}{dot}{other} = {value}")).collect()
}

/// The places that a key may be moved to by mistake: sections of nobody, and none at all.
const ELSEWHERE: [&str; 6] = ["", "[moved]", "[mesh_ingress.i]", "[[ingress]]", "[\"\"]", "[x.y.z]"];

/// Sections of Harmony, which have keys of some of these names too.
const OF_HARMONY: [&str; 4] = ["[rules.moved]", "[logging]", "[services.moved]", "[policies.moved.options]"];

/// The keys that sections of Harmony have too.
const SHARED: [&str; 13] = [
    "enabled",
    "provider",
    "token",
    "network",
    "networks",
    "urls",
    "endpoint",
    "endpoints",
    "backend",
    "type",
    "required",
    "direction",
    "service",
];

/// The files in which the key of one line is in another section.
fn moves(lines: &[&str], at: usize) -> Vec<String> {
    let Some((key, _)) = lines[at].split_once(" = ").filter(|_| !lines[at].starts_with('[')) else {
        return Vec::new();
    };
    let mut rest = lines.to_vec();
    let line = rest.remove(at);
    let rest = rest.join("\n");
    let own = key.rsplit('.').next().unwrap_or(key);
    let of_harmony = OF_HARMONY.iter().filter(|_| !SHARED.contains(&own));
    let places = ELSEWHERE.iter().chain(of_harmony);
    places
        .map(|section| match *section {
            "" => format!("{own} = {}\n{rest}\n", &line[key.len() + 3..]),
            _ => format!("{rest}\n{section}\n{own} = {}\n", &line[key.len() + 3..]),
        })
        .collect()
}

/// The files of the configuration, and the edits that are tried on them.
const FILES: [(&str, &str); 3] =
    [("config.toml", CONFIG), ("mesh/m.toml", MESHES), ("pipelines/p.toml", PIPELINES)];

/// The number of threads that share the edits.
const THREADS: usize = 4;

/// The results of some of the edits.
#[derive(Default)]
struct Tried {
    all: usize,
    rejected: usize,
    opened: Vec<String>,
}

/// Every one-letter mistake, every other type and every cut word, in every line of a configuration that closes routes in
/// all the ways there are: it is rejected, or what was refused stays refused.
#[test]
fn no_single_edit_opens_a_closed_route() {
    let (identity, rsa) = (Identity::new(), rsa_pair());
    let tried = std::thread::scope(|scope| {
        let start = |part| {
            let (identity, rsa) = (&identity, &rsa);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(edits_of_part(part, identity, rsa))
            })
        };
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        threads.into_iter().fold(Tried::default(), |mut tried, thread| {
            let Tried { all, rejected, opened } = thread.join().expect("a thread ends without a panic");
            tried.all += all;
            tried.rejected += rejected;
            tried.opened.extend(opened);
            tried
        })
    });
    let Tried { all, rejected, mut opened } = tried;
    opened.dedup_by_key(|text| text.split(": (").next().map(str::to_owned));
    assert!(opened.is_empty(), "{} of {all} edits:\n{}", opened.len(), opened.join("\n"));
    assert!(all > 5000 && rejected * 2 > all, "{rejected} of {all} were rejected");
}

/// Tries the edits of every [`THREADS`]th line, from the line `part` on, in a directory of its own.
async fn edits_of_part(part: usize, identity: &Identity, (private, public): &(String, String)) -> Tried {
    let dir = Workdir::with(FILES.map(|(name, text)| (name, text.to_owned())));
    for (name, text) in [
        ("cert.pem", &identity.cert),
        ("key.pem", &identity.key),
        ("private.pem", private),
        ("public.pem", public),
    ] {
        dir.write(name, text);
    }
    let mut options = HostOptions::new(dir.config(), harmony_host::registry());
    options.state_dir = dir.path().join("state");
    let capabilities = Capabilities::new().with_endpoint("http").with_backend("http").with_backend("echo");
    let requests = requests();
    let before = harmony_host::check(&options, capabilities.clone()).await.unwrap_or_else(|e| panic!("{e}"));
    let open = served(&before, &requests).await;
    let open_paths: BTreeSet<_> = open.iter().map(|at| (requests[*at].0, requests[*at].3.as_str())).collect();
    assert_eq!(open_paths, BTreeSet::from([("public", "/open/x")]), "everything else is refused");
    let mut tried = Tried::default();
    for (name, text) in FILES {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(at, _)| at % THREADS == part) {
            let with = |edited: String| {
                let mut changed = lines.clone();
                changed[at] = &edited;
                (changed.join("\n") + "\n", edited)
            };
            let strict = edits(line).into_iter().map(|edited| (false, with(edited)));
            // These are rejected even where unknown keys are allowed.
            let respelled = respellings(line).into_iter().map(|edited| (true, with(edited)));
            let moved = moves(&lines, at).into_iter().map(|text| (true, (text.clone(), text)));
            for (allow, (text, edited)) in strict.chain(respelled).chain(moved) {
                dir.write(name, &text);
                options.allow_unknown_keys = allow;
                tried.all += 1;
                let Ok(snapshot) = harmony_host::check(&options, capabilities.clone()).await else {
                    tried.rejected += 1;
                    continue;
                };
                let now = served(&snapshot, &requests).await;
                for at in now.difference(&open) {
                    let shown = edited.lines().rev().take(2).collect::<Vec<_>>().join(" in ");
                    tried.opened.push(format!("{name}: {line} -> {shown}: {:?}", requests[*at]));
                }
            }
        }
        dir.write(name, text);
    }
    tried
}
