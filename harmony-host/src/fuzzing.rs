//! The entry points of the fuzz targets, and a test that replays their corpus. Not part of the API.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

#[cfg(feature = "gateway")]
use http::Method;
use provider_api::{Change, ChangeId, DocumentKind, ProviderName, Registry, SystemClock};

use crate::apply::proposal::record::GatewayNames;
use crate::apply::proposal::{self, Base};
use crate::config::Capabilities;
use crate::diagnostics::problem::Problem;
use crate::diagnostics::{mask, render};
use crate::documents::edits::Edits;
use crate::documents::layers::Layers;
use crate::documents::origins::Origins;
use crate::documents::{Documents, Loaded};
use crate::journal::log::line_of;
use crate::journal::{Journal, Settlement, Verdict};
use crate::last_good::decode;
use crate::providers::Surroundings;
use crate::providers::resolutions::Resolutions;
#[cfg(feature = "gateway")]
use crate::proxy;
use crate::snapshot::Snapshot;
use crate::storage::digest::Digest;

/// A directory that does not exist, so that every file comes from the input.
const NOWHERE: &str = "/nonexistent/harmony";

const CONFIG: &str = "# mine\n[proxy]\nid = \"edge\"\nprimary_provider = \"runbeam\"\n\
                      [provider.runbeam]\napi = \"https://cloud.example\" # ours\npoll_interval_secs = 30\n\
                      [network.public.http]\nbind_address = \"127.0.0.1\"\nbind_port = 8080\n\
                      [network.inner.http]\nbind_address = \"127.0.0.1\"\nbind_port = 9090\n\
                      [management]\nenabled = true\nnetwork = \"inner\"\n";

static REGISTRY: LazyLock<Registry> = LazyLock::new(crate::registry);

fn load(files: &Edits) -> Loaded {
    let config = Path::new(NOWHERE).join("config.toml");
    Documents::load_isolated(&Layers::base_only(&config), None, None, Some(files))
}

/// A marker for a secret. An input with the marker is checked for leaks if the marker occurs once, as the value of a
/// secret key.
const CANARY: &str = "hunter2hunter2";

/// Loads a configuration from any bytes: config.toml, a pipeline file and a mesh file, separated by NUL. It becomes a
/// snapshot or is rejected with problems. Every problem can be formatted, and none shows a secret.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert_eq!(mask::mask_secrets(text, &Default::default()).len(), text.len());
    let mut files = Edits::default();
    for (name, text) in ["config.toml", "pipelines/a.toml", "mesh/a.toml"].into_iter().zip(text.split('\0')) {
        files.insert(name, text);
    }
    let Loaded { documents, problems } = load(&files);
    let surroundings = Surroundings {
        registry: REGISTRY.clone(),
        default_provider: ProviderName::local(),
        capabilities: Arc::new(
            Capabilities::new().with_endpoint("echo").with_backend("http").with_backend("echo"),
        ),
        allow_unknown_keys: false,
        clock: Arc::new(SystemClock),
        state_dir: PathBuf::from(NOWHERE),
        origins: Origins::open(Path::new(NOWHERE), Path::new(NOWHERE)),
        resolutions: Resolutions::new(Arc::new(SystemClock), Vec::new()),
    };
    match Snapshot::build(Arc::new(documents), problems, 1, &surroundings, None) {
        Ok(snapshot) => show(text, snapshot.warnings.iter()),
        Err(refusal) => {
            assert!(refusal.problems.refuse());
            show(text, refusal.problems.sorted());
        }
    }
}

/// Proposes a change of the control plane from any bytes: a line with its kind, then its document. The proposal writes
/// only to the directory of its kind; a change of config.toml keeps the settings that a control plane may not set.
pub fn change(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(((kind, document), id)) = text.split_once('\n').zip(ChangeId::new("01A")) else { return };
    let mut files = Edits::default();
    files.insert("config.toml", CONFIG);
    let kind = DocumentKind::from(kind);
    let change = Change { id, kind: kind.clone(), document: document.to_owned(), attachments: Vec::new() };
    let (documents, names) = (load(&files).documents, GatewayNames::default());
    match proposal::edits(&change, &Base::new(&documents, &REGISTRY, &names)) {
        Ok(edits) => edits.iter().for_each(|(name, text)| {
            let directory = match kind {
                DocumentKind::Gateway => return assert_own_settings_stay(name, text),
                DocumentKind::Pipeline => "pipelines/",
                DocumentKind::Mesh => "mesh/",
                _ => "transforms/",
            };
            assert!(name.strip_prefix(directory).is_some_and(|file| !file.contains(['/', '\\'])), "{name}");
        }),
        Err(refusal) => show(document, refusal.problems.sorted()),
    }
}

/// Formats every problem, and renders three: rendering is the slowest step.
fn show<'a>(text: &str, problems: impl IntoIterator<Item = &'a Problem>) {
    let problems: Vec<&Problem> = problems.into_iter().collect();
    let mut shown: String = problems.iter().map(ToString::to_string).collect();
    shown.push_str(&render::render(problems.into_iter().take(3), false));
    if shown.contains(CANARY) && text.matches(CANARY).count() == 1 {
        let mut files = text.split('\0').filter_map(|file| file.parse::<toml::Table>().ok());
        assert!(!files.any(|file| hides(&file.into(), false)), "{shown}");
    }
}

fn hides(value: &toml::Value, secret: bool) -> bool {
    match value {
        toml::Value::String(text) => secret && text.contains(CANARY),
        toml::Value::Array(items) => items.iter().any(|item| hides(item, secret)),
        toml::Value::Table(table) => table
            .iter()
            .any(|(key, value)| hides(value, ["jwt_secret", "password", "token"].contains(&key.as_str()))),
        _ => false,
    }
}

fn assert_own_settings_stay(name: &str, text: &str) {
    assert_eq!(name, "config.toml");
    assert!(text.contains("# mine\n") && text.contains("# ours\n"), "{text}");
    let (before, after) = (CONFIG.parse::<toml::Table>(), text.parse::<toml::Table>());
    let own = |table: &toml::Table| {
        let value = |path: [&str; 2]| table.get(path[0]).and_then(|inner| inner.get(path[1])).cloned();
        let api = table.get("provider").and_then(|all| all.get("runbeam")?.get("api")).cloned();
        (value(["proxy", "id"]), api, table.get("management").cloned(), value(["proxy", "pipelines_path"]))
    };
    assert_eq!(before.ok().as_ref().map(own), after.ok().as_ref().map(own), "{text}");
}

/// Reads a log of the journal, notes of earlier versions and a saved configuration from any bytes, once unchanged and once
/// with a matching checksum. A journal is read, left out as damaged, or refused. A change that was read can be settled, and
/// is read again the same.
pub fn note(bytes: &[u8]) {
    let mut sealed = format!("{:#}\n", Digest::of(bytes)).into_bytes();
    sealed.extend_from_slice(bytes);
    sealed.push(b'\n');
    for kept in [sealed.as_slice(), bytes].into_iter().filter_map(|kept| decode(kept).ok()) {
        let _ = (Documents::from_saved(Path::new(NOWHERE), &kept.files), format!("{kept:?}"));
    }
    let line = line_of(bytes);
    reopen(&[("000000000001.note", &sealed), ("000000000002.note", bytes)]);
    reopen(&[("journal.log", &line), ("000000000001.note", &sealed)]);
    reopen(&[("journal.log", bytes)]);
}

fn reopen(files: &[(&str, &[u8])]) {
    let Ok(directory) = tempfile::tempdir() else { return };
    for (name, content) in files {
        if std::fs::write(directory.path().join(name), content).is_err() {
            return;
        }
    }
    let Ok(journal) = Journal::open(directory.path()) else { return };
    for entry in journal.all() {
        let _ = (entry.change(), entry.status(), format!("{entry:?}"));
        let applied = Verdict { sequence: entry.sequence, settlement: Settlement::Applied, quarantine: None };
        if journal.settle(vec![applied]).is_err() {
            return;
        }
    }
    let all = journal.all();
    drop(journal);
    let again = Journal::open(directory.path()).map(|again| again.all());
    assert_eq!(again.ok(), Some(all));
}

/// Reads a response of a backend from any bytes: the first one chooses the method and the size of the pieces in which the
/// others arrive. It is refused, or read as hyper reads it.
///
/// # Panics
/// Panics if that does not hold.
#[cfg(feature = "gateway")]
pub fn response(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let method = [Method::GET, Method::HEAD, Method::POST, Method::DELETE][usize::from(choice & 3)].clone();
    assert_eq!(proxy::check_reading(bytes, usize::from(choice >> 2) + 1, &method), Ok(()));
}

#[cfg(test)]
mod tests {
    fn replay(target: &str, entry: fn(&[u8])) {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/").to_owned() + target;
        let inputs: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!inputs.is_empty());
        inputs.iter().for_each(|input| entry(&std::fs::read(input).unwrap()));
    }

    #[test]
    fn corpus_replays() {
        replay("configuration", super::configuration);
        replay("change", super::change);
        replay("note", super::note);
        #[cfg(feature = "gateway")]
        replay("response", super::response);
    }
}
