//! The table of keys, compared with the official schemas of the crate `harmony-dsl`.

use toml::Value;
use toml::de::DeTable;

use crate::config::capabilities::Capabilities;
use crate::config::keys::check;
use crate::config::keys::key::{Key, Kind};
use crate::config::keys::sections::{FOREIGN, SECTIONS, SectionKeys};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Source;

/// Returns every key of a schema as the path of its table and its name.
fn keys_of(schema: &str) -> Vec<(String, String)> {
    let schema: Value = toml::from_str(schema).unwrap();
    let tables = schema["table"].as_array().unwrap();
    tables
        .iter()
        .flat_map(|table| {
            let name = table["name"].as_str().unwrap();
            let fields = table.get("field").and_then(Value::as_array).into_iter().flatten();
            fields.map(move |field| (name.to_owned(), field["name"].as_str().unwrap().to_owned()))
        })
        .collect()
}

/// Returns whether the table of keys has an entry for the key `name` of the section `table`.
fn has_entry(table: &str, name: &str) -> bool {
    let path = format!("{table}.{name}");
    let top = table.split('.').next().unwrap();
    FOREIGN.contains(&top)
        || SECTIONS.iter().any(|section| {
            let below = path.strip_prefix(section.path).and_then(|rest| rest.strip_prefix('.'));
            section.path.starts_with(&format!("{path}."))
                || section.path == path
                || below.is_some_and(|below| section.keys.iter().any(|key| key.name == below))
        })
}

#[test]
fn every_official_key_has_an_entry() {
    let mut keys = keys_of(harmony_dsl::CONFIG_SCHEMA);
    keys.extend(keys_of(harmony_dsl::PIPELINE_SCHEMA));
    assert!(keys.len() > 100, "{}", keys.len());
    let missing: Vec<_> = keys.iter().filter(|(table, name)| !has_entry(table, name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// A valid configuration with keys of every section.
const VALID: &str = r#"[proxy]
id = "a"
primary_provider = "local"
pipelines_path = "pipelines"
jwks_cache_duration_hours = 24
[proxy.content_limits]
max_body_size = 4096
[management]
enabled = true
network = "inside"
base_path = "admin"
token = "t"
[network.inside.http]
bind_address = "127.0.0.1"
bind_port = 8080
cert_path = "c"
key_path = "k"
[mesh.clinic]
type = "http"
provider = "local"
jwt_secret = "s"
jwt_public_key_path = "p"
token_audience = true
ingress = ["records"]
egress = []
enabled = true
[remote_ingress.theirs]
urls = ["https://a.example"]
[pipelines.p]
networks = ["inside"]
endpoints = ["e"]
middleware = ["m"]
backends = ["b"]
[pipelines.p.mesh.ingress.records]
mode = "mesh"
endpoint = "e"
urls = ["https://b.example"]
[pipelines.p.mesh.egress.away]
mode = "mesh"
backend = "b"
[endpoints.e]
service = "http"
peer_ref = "hospital"
authentication = "a"
options.path_prefix = "/a"
[backends.b]
service = "http"
target_ref = "t"
timeout_secs = 3
max_retries = 1
options.base_url = "http://c.example"
options.path_prefix = "/c"
[middleware.m]
type = "mesh_auth"
options.required = true
options.direction = "ingress"
[targets.t]
connection.host = "d.example"
connection.port = 80
connection.protocol = "http"
connection.base_path = "/"
[peers.hospital]
enabled = false
authentication = "a"
"#;

/// Returns all misspellings of a key in which one letter is missing, doubled, replaced or exchanged with the next.
fn misspellings(key: &str) -> Vec<String> {
    let letters: Vec<char> = key.chars().collect();
    let mut all = Vec::new();
    for at in 0..letters.len() {
        let (mut left_out, mut doubled, mut replaced, mut exchanged) =
            (letters.clone(), letters.clone(), letters.clone(), letters.clone());
        left_out.remove(at);
        doubled.insert(at, letters[at]);
        replaced[at] = if letters[at] == 'q' { 'x' } else { 'q' };
        all.extend([left_out, doubled, replaced]);
        if at + 1 < letters.len() && letters[at] != letters[at + 1] {
            exchanged.swap(at, at + 1);
            all.push(exchanged);
        }
    }
    let texts = all.into_iter().map(String::from_iter);
    texts.filter(|text| !text.is_empty() && text != key).collect()
}

/// Returns the lines and texts of the problems of `text`.
fn problems_of(text: &str) -> Vec<(usize, String)> {
    let source = Source::new("config.toml", text);
    let (document, syntax) = DeTable::parse_recoverable(source.toml());
    assert!(syntax.is_empty(), "{text}");
    let mut problems = Problems::default();
    for unknown in check(&source, document.get_ref(), &[], &mut problems) {
        unknown.report(false, &Capabilities::new(), &provider_api::Registry::new(), &mut problems);
    }
    let line = |place: Option<&crate::diagnostics::source::Place>| place.map_or(0, |place| place.line());
    problems.errors().map(|problem| (line(problem.place.as_ref()), problem.to_string())).collect()
}

/// Every misspelling of every key is rejected with its line, and the correct key is suggested.
#[test]
fn every_misspelled_key_is_rejected() {
    assert_eq!(problems_of(VALID), Vec::new());
    let lines: Vec<&str> = VALID.lines().collect();
    let (mut all, mut suggested, mut wrong) = (0, 0, Vec::new());
    for (at, line) in lines.iter().enumerate() {
        let Some((dotted, value)) = line.split_once(" = ") else { continue };
        let (before, key) = dotted.rsplit_once('.').map_or(("", dotted), |(before, key)| (before, key));
        for misspelled in misspellings(key) {
            let dot = if before.is_empty() { "" } else { "." };
            let edited = format!("{before}{dot}{misspelled} = {value}");
            let mut text = lines.clone();
            text[at] = &edited;
            let found = problems_of(&text.join("\n"));
            assert!(found.iter().any(|(line, _)| *line == at + 1), "{edited}: {found:?}");
            all += 1;
            match found.iter().any(|(_, text)| text.contains(&format!("did you mean `{key}`?"))) {
                true => suggested += 1,
                false => wrong.push(format!("{edited}: {found:?}")),
            }
        }
    }
    assert!(all > 1000, "{all}");
    assert!(suggested * 100 >= all * 95, "{suggested} of {all}; {wrong:#?}");
}

/// Returns the spellings of a key in another case, or with letters or words more.
fn respellings(key: &str) -> Vec<String> {
    let camel = key.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect::<String>();
    let all = [
        key.to_uppercase(),
        camel,
        format!("\"{key} \""),
        format!("\" {key}\""),
        format!("{key}s"),
        format!("{key}x"),
        format!("{key}_ref"),
        format!("the_{key}"),
        format!("my-{key}"),
        format!("is_{key}_now"),
    ];
    all.into_iter().filter(|other| other != key).collect()
}

/// Every other spelling of a security-relevant key is an error where unknown keys are allowed too, and so is the key in any
/// other section.
#[test]
fn every_respelled_or_moved_key_is_rejected() {
    let always = |text: &str| {
        let source = Source::new("config.toml", text);
        let (document, syntax) = DeTable::parse_recoverable(source.toml());
        assert!(syntax.is_empty(), "{text}: {syntax:?}");
        check(&source, document.get_ref(), &[], &mut Problems::default()).iter().any(|unknown| unknown.guards)
    };
    let mut all = 0;
    for section in SECTIONS {
        let path = section.path.replace('*', "n");
        for key in section.keys.iter().filter(|key| key.guards) {
            let value = match key.kind {
                Kind::Flag => "false",
                Kind::Texts | Kind::Sides | Kind::Tables => "[]",
                Kind::Integer(..) => "4096",
                Kind::Table | Kind::Map => "{ x = 1 }",
                Kind::Words(words) => &format!("\"{}\"", words.last().unwrap()),
                Kind::Text => "\"mesh_auth\"",
            };
            let (above, own) = key.name.rsplit_once('.').unwrap_or(("", key.name));
            let dot = if above.is_empty() { "" } else { "." };
            let typed = match path.split('.').next() {
                Some("middleware") if own != "type" => "type = \"mesh_auth\"\n",
                Some("endpoints" | "backends") => "service = \"http\"\n",
                // Its type decides.
                Some("provider") => continue,
                _ => "",
            };
            // The tables of a list are not read: what has them is answered 501.
            let is_in_list = |list: &Key| list.kind == Kind::Tables && list.name == above;
            let respelled = if section.keys.iter().any(is_in_list) { Vec::new() } else { respellings(own) };
            for other in respelled {
                let text = format!("[{path}]\n{typed}{above}{dot}{other} = {value}\n");
                // A respelling may be another key, such as `networks`.
                let is_known = section.keys.iter().any(|key| key.name == format!("{above}{dot}{other}"));
                assert!(is_known || always(&text), "{text}");
                all += 1;
            }
            for moved in ["", "[moved]", "[mesh_ingress.i]", "[[x]]", "[\"\"]", "[a.b.c]"] {
                let text = format!("{moved}\n{own} = {value}\n");
                // The name of a section without a table is an error of the section, or Harmony's.
                let is_section = |known: &SectionKeys| known.path.split('.').next() == Some(own);
                let is_section = SECTIONS.iter().any(is_section) || FOREIGN.contains(&own);
                let is_harmless = moved.is_empty() && is_section;
                assert!(is_harmless || always(&text), "{text}");
                all += 1;
            }
        }
    }
    assert!(all > 600, "{all}");
}

/// Every misspelled section is rejected, and the correct section is suggested.
#[test]
fn every_misspelled_section_is_rejected() {
    let names =
        ["proxy", "management", "network", "mesh", "remote_ingress", "pipelines", "endpoints", "backends"];
    for name in names.into_iter().chain(["middleware", "targets", "peers"]) {
        for misspelled in misspellings(name) {
            let text = format!("[{misspelled}.x]\n");
            let found = problems_of(&text);
            assert!(
                found.iter().any(|(_, text)| text.contains(&format!("did you mean [{name}]?"))),
                "{text}{found:?}"
            );
        }
    }
}

/// A value of a wrong type is rejected with its line, for every key.
#[test]
fn every_wrong_type_is_rejected() {
    let lines: Vec<&str> = VALID.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let Some((key, value)) = line.split_once(" = ") else { continue };
        let number = if value.parse::<u64>().is_ok() { "\"text\"" } else { "7" };
        for other in [number, "1979-05-27", "1.5"] {
            let edited = format!("{key} = {other}");
            let mut text = lines.clone();
            text[at] = &edited;
            let found = problems_of(&text.join("\n"));
            assert!(found.iter().any(|(line, _)| *line == at + 1), "{edited}: {found:?}");
        }
    }
}

/// The shared directory beside the checkout, with the newest official schemas and the public examples.
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");

/// Returns every TOML file below a directory; `None`, and says so, where it is absent.
#[expect(clippy::print_stderr, reason = "a test that was skipped must be seen")]
fn shared_files(directory: &str) -> Option<Vec<std::path::PathBuf>> {
    let root = std::path::Path::new(SHARED).join(directory);
    if !root.is_dir() {
        eprintln!("skipped: {directory} is not beside this checkout");
        return None;
    }
    let (mut files, mut todo) = (Vec::new(), vec![root]);
    while let Some(next) = todo.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => todo.push(path),
                false if path.extension().is_some_and(|e| e == "toml") => files.push(path),
                false => {}
            }
        }
    }
    Some(files)
}

/// The newest official schemas have no key without an entry, whatever the crate has.
#[test]
fn every_key_of_the_newest_schemas_has_an_entry() {
    let Some(files) = shared_files("harmony-schemas") else { return };
    let schemas = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
    let keys: Vec<_> = schemas.flat_map(|schema| keys_of(&schema)).collect();
    assert!(files.len() >= 4 && keys.len() > 100, "{} files, {} keys", files.len(), keys.len());
    let missing: Vec<_> = keys.iter().filter(|(table, name)| !has_entry(table, name)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The public examples have no key without an entry, and none of a wrong type.
#[test]
fn every_key_of_the_public_examples_has_an_entry() {
    let Some(files) = shared_files("harmony-configs") else { return };
    assert!(files.len() > 10, "{}", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(problems_of(&text), Vec::new(), "{}", file.display());
    }
}
