//! Documents without what is secret in them.

use provider_api::Registry;
use toml_edit::{Array, ArrayOfTables, Decor, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::diagnostics::named_values::{is_named_value, named_items, names_a_value, names_next};
use crate::diagnostics::secret_names::looks_secret;
use crate::diagnostics::secret_values::{is_secret_value, secret_parts};
use crate::diagnostics::sensitive::Sensitive;
use crate::documents::editable;

/// The keys of `[provider.*]` that the host reads itself. Of the others only those are pushed that the provider's factory
/// declares public.
const HOST_KEYS: [&str; 3] = ["type", "poll_interval_secs", "enabled"];

/// Returns the text of a TOML document without its secrets: values that the table of keys, the patterns of the
/// configuration or their own looks say are secret, and comments that may hold one. `None` for a text that cannot be
/// read: it is not pushed.
pub(crate) fn without_secrets(text: &str, sensitive: &Sensitive, registry: &Registry) -> Option<String> {
    let mut document = editable::parse(text).ok()?;
    keep_public_settings(&mut document, registry);
    let redaction = Redaction { sensitive };
    redaction.table(document.as_table_mut(), &mut Vec::new(), false);
    let trailing = redaction.comments(document.trailing().as_str().unwrap_or_default());
    document.set_trailing(trailing);
    Some(editable::text_of(&document))
}

/// Removes the settings of providers that their factories do not declare public.
fn keep_public_settings(document: &mut DocumentMut, registry: &Registry) {
    let Some(providers) = document.get_mut("provider").and_then(Item::as_table_like_mut) else { return };
    for (name, section) in providers.iter_mut() {
        let Some(section) = section.as_table_like_mut() else { continue };
        let provider_type = section.get("type").and_then(Item::as_str).unwrap_or(name.get());
        let public = registry.profile(provider_type).map(|profile| profile.public_keys).unwrap_or_default();
        let private: Vec<String> = section
            .iter()
            .map(|(key, _)| key.to_owned())
            .filter(|key| !public.contains(&key.as_str()) && !HOST_KEYS.contains(&key.as_str()))
            .collect();
        for key in private {
            section.remove(&key);
        }
    }
}

/// Returns `incoming` as it is to be written over `own`: `None` if it says what `own` says without its secrets, so that
/// what was pushed and returns takes no secret away. A mesh that comes without a key keeps that of `own`.
pub(crate) fn with_own_secrets(
    incoming: &str,
    own: &str,
    sensitive: &Sensitive,
    registry: &Registry,
) -> Option<String> {
    let read = |text: &str| editable::parse(text).ok();
    let (Some(mut edited), Some(mine)) = (read(incoming), read(own)) else {
        return Some(incoming.to_owned());
    };
    if without_secrets(own, sensitive, registry).is_some_and(|public| {
        public != own
            && editable::changed_keys(&public, incoming).is_empty()
            && editable::changed_keys(incoming, &public).is_empty()
    }) {
        return None;
    }
    let mut kept = false;
    for (name, mesh) in
        edited.get_mut("mesh").and_then(Item::as_table_like_mut).into_iter().flat_map(|all| all.iter_mut())
    {
        let before = mine.get("mesh").and_then(|all| all.get(name.get()));
        let (Some(mesh), Some(before)) = (mesh.as_table_like_mut(), before) else { continue };
        let same_provider =
            mesh.get("provider").and_then(Item::as_str) == before.get("provider").and_then(Item::as_str);
        let has_key = MESH_KEYS.iter().any(|key| mesh.contains_key(key));
        if let (Some(secret), true, false) = (before.get("jwt_secret"), same_provider, has_key) {
            mesh.insert("jwt_secret", secret.clone());
            kept = true;
        }
    }
    Some(if kept { editable::text_of(&edited) } else { incoming.to_owned() })
}

/// The keys of a mesh that hold or name its key.
const MESH_KEYS: [&str; 3] = ["jwt_secret", "jwt_private_key_path", "jwt_public_key_path"];

struct Redaction<'a> {
    sensitive: &'a Sensitive,
}

impl Redaction<'_> {
    fn table(&self, table: &mut Table, path: &mut Vec<String>, all: bool) {
        self.decor(table.decor_mut());
        self.members(table, path, all);
        for (mut key, _) in table.iter_mut() {
            self.decor(key.leaf_decor_mut());
            self.decor(key.dotted_decor_mut());
        }
    }

    fn inline(&self, table: &mut InlineTable, path: &mut Vec<String>, all: bool) {
        self.decor(table.decor_mut());
        let trailing = self.comments(table.trailing().as_str().unwrap_or_default());
        table.set_trailing(trailing);
        self.members(table, path, all);
        for (mut key, _) in table.iter_mut() {
            self.decor(key.leaf_decor_mut());
            self.decor(key.dotted_decor_mut());
        }
    }

    /// Removes the secret members of a table; `all` are when the table itself is secret.
    fn members(&self, table: &mut dyn TableLike, path: &mut Vec<String>, all: bool) {
        let names_secret =
            table.iter().any(|(key, item)| names_a_value(key) && item.as_str().is_some_and(looks_secret));
        let mut removed = Vec::new();
        for (key, item) in table.iter_mut() {
            path.push(key.get().to_owned());
            let shown: Vec<&str> = path.iter().map(String::as_str).collect();
            let secret = all
                || self.sensitive.is_secret(&shown, is_section(item))
                // No file of this host can have a misspelled key of its own; one of Harmony's is not checked here.
                || self.sensitive.is_near(&shown, is_section(item))
                || names_secret && is_named_value(key.get());
            if !self.item(item, path, secret) {
                removed.push(key.get().to_owned());
            }
            path.pop();
        }
        for key in removed {
            table.remove(&key);
        }
    }

    /// Removes what is secret in an item. Returns false for one that must go as a whole.
    fn item(&self, item: &mut Item, path: &mut Vec<String>, secret: bool) -> bool {
        match item {
            Item::Value(value) => return self.value(value, path, secret),
            Item::Table(table) => self.table(table, path, secret),
            Item::ArrayOfTables(tables) => self.tables(tables, path, secret),
            Item::None => {}
        }
        true
    }

    fn tables(&self, tables: &mut ArrayOfTables, path: &mut Vec<String>, secret: bool) {
        tables.iter_mut().for_each(|table| self.table(table, path, secret));
    }

    fn value(&self, value: &mut Value, path: &mut Vec<String>, secret: bool) -> bool {
        self.decor(value.decor_mut());
        match value {
            Value::InlineTable(table) if !secret => self.inline(table, path, false),
            Value::Array(items) if !secret => self.array(items, path),
            // Neither of them is a secret, and without it the document would say something else.
            Value::Boolean(_) => {}
            Value::String(text) if !secret => {
                let plain = text.value();
                if is_secret_value(plain) {
                    return false;
                }
                let parts = secret_parts(plain);
                if !parts.is_empty() {
                    let shown = without_parts(plain, &parts);
                    let decor = value.decor().clone();
                    *value = Value::from(shown);
                    *value.decor_mut() = decor;
                }
            }
            _ => return !secret,
        }
        true
    }

    fn array(&self, items: &mut Array, path: &mut Vec<String>) {
        let trailing = self.comments(items.trailing().as_str().unwrap_or_default());
        items.set_trailing(trailing);
        let texts: Vec<Option<&str>> = items.iter().map(Value::as_str).collect();
        let list = path.last().map(String::as_str).unwrap_or_default();
        let mut named = named_items(list, &texts).into_iter();
        items.retain(|item| {
            let secret = named.next().unwrap_or_default();
            let is_pair =
                item.as_array().filter(|pair| pair.len() == 2).and_then(|pair| pair.get(0)?.as_str());
            let mut probe = item.clone();
            !is_pair.is_some_and(|name| names_next(name, true))
                && self.value(&mut probe, &mut path.clone(), secret)
        });
        for item in items.iter_mut() {
            self.value(item, path, false);
        }
    }

    fn decor(&self, decor: &mut Decor) {
        let text = |part: Option<&toml_edit::RawString>| {
            part.and_then(|part| part.as_str())
                .filter(|part| part.contains('#'))
                .map(|part| self.comments(part))
        };
        let (prefix, suffix) = (text(decor.prefix()), text(decor.suffix()));
        if let Some(prefix) = prefix {
            decor.set_prefix(prefix);
        }
        if let Some(suffix) = suffix {
            decor.set_suffix(suffix);
        }
    }

    /// Returns the text between values without the comments that may hold a secret.
    fn comments(&self, text: &str) -> String {
        let keep = |line: &&str| {
            let comment = line.trim_start().trim_start_matches('#').trim();
            !line.contains('#')
                || !(self.sensitive.is_in_line(comment)
                    || is_secret_value(comment)
                    || !secret_parts(comment).is_empty())
        };
        text.split_inclusive('\n').map(|line| if keep(&line) { line } else { newline_of(line) }).collect()
    }
}

fn newline_of(line: &str) -> &str {
    if line.ends_with('\n') { "\n" } else { "" }
}

/// Returns whether an item is a section, or a list of them: its name may be one that people chose.
fn is_section(item: &Item) -> bool {
    matches!(item, Item::Table(_) | Item::ArrayOfTables(_))
}

/// Returns a text without its secret parts; user information goes with its `@`.
fn without_parts(text: &str, parts: &[std::ops::Range<usize>]) -> String {
    let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
    for part in parts {
        out.push_str(text.get(copied..part.start).unwrap_or_default());
        copied = if text.get(part.end..).is_some_and(|rest| rest.starts_with('@')) {
            part.end + 1
        } else {
            part.end
        };
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::secrets::known;
    use crate::config::test_registry::test_registry;

    fn public(text: &str) -> String {
        let sensitive = Sensitive::new(known, &["door_*".to_owned()]);
        without_secrets(text, &sensitive, &test_registry()).unwrap()
    }

    /// Every way to write a secret, and nothing of it is left.
    #[test]
    fn nothing_secret_is_left() {
        for text in [
            "[mesh.m]\njwt_secret = \"hunter2\"",
            "mesh.m.jwt_secret = 'hunter2'",
            "mesh = { m = { \"jwt_\\u0073ecret\" = \"hunter2\" } }",
            "[management]\ntoken = \"\"\"\nhunter2\"\"\"",
            "[authentications.a]\nhs256_secret = \"hunter2\"\npassword = \"hunter2\"\nPASSWORD = 2",
            "[backends.b]\noptions.secret_access_key = \"hunter2\"\noptions.access_key_id = \"hunter2\"",
            "[backends.b.options]\napi_key = \"hunter2\"\n\"X-Api-Key\" = \"hunter2\"",
            "[backends.b.options.headers]\nAuthorization = \"hunter2\"\nCookie = \"hunter2\"",
            "[[services.s.users]]\nname = \"a\"\npassword = \"hunter2\"",
            "[services.s]\nusers = [{ name = \"a\", password = \"hunter2\" }, { name = \"b\" }]",
            "[services.s]\nheaders = [\"Authorization: hunter2\", \"Accept: x\"]",
            "[services.s]\nheaders = [{ name = \"X-Auth-Token\", value = \"hunter2\" }]",
            "[services.s.credentials]\nuser = \"hunter2\"\nmore = [\"hunter2\"]\n[services.s.credentials.deep]\nx = \"hunter2\"",
            "[services.s]\ntokens = [\"hunter2\", [\"hunter2\"]]",
            "[services.s]\nurl = \"https://me:hunter2@a.example/x?y=1&token=hunter2\"",
            "[services.s]\nx = \"Bearer hunter2\"\ndoor_code = \"hunter2\"\ndoor_pin = 2",
            "# password = hunter2\n[services.s] # token hunter2\n# https://a:hunter2@b.example\nx = 1 # door_code hunter2\n# key: Bearer hunter2 secret\n",
            "[services.s]\nx = [\n  1, # password hunter2\n  2 # token: hunter2\n]",
            "[provider.runbeam]\nteam_key = \"hunter2\"\nother = \"hunter2\"",
            "[storage.s3]\nconnection_token = \"hunter2\"\n",
            "[secret]\nx = \"hunter2\"\n[secret.deep]\ny = [\"hunter2\"]\n[[secrets]]\nv = \"hunter2\"\n",
            "[services.s]\nclient_key = \"hunter2\"\npsk = \"hunter2\"\npin = \"hunter2\"\ncreds = \"hunter2\"\nauth = { a = \"hunter2\" }\nsas = \"hunter2\"\nsalt = \"hunter2\"",
            "[services.s]\nconnection = \"Server=x;Pwd=hunter2;Port=1\"\nurl = \"https://h/x?a=1&sig=hunter2\"",
            "[services.s]\nargs = [\"--password\", \"hunter2\", \"--token=hunter2\"]\npairs = [[\"password\", \"hunter2\"]]",
            "[authentications.x]\nusers = [{ name = \"u\", pass = \"hunter2\" }]\nkey = \"hunter2\"",
            "[services.s]\nnested.pass.value = \"hunter2\"\npw = \"hunter2\"\nhmac = \"hunter2\"\ndsn = \"hunter2\"\njwt = \"hunter2\"",
            "[services.s]\nargs = [\"--pw\", \"hunter2\"]\nheaders = [\"X-Api-Key\", \"hunter2\"]",
            "[services.s]\nenv = [{ variable = \"DB_PASS\", content = \"hunter2\" }]",
            "[services.s]\nurl = \"https://hooks.slack.com/services/T0/B0/hunter2\"\nother = \"https://a.example/hooks/hunter2hunter2\"",
            "[services.s]\na = \"ghp_hunter2hunter2\"\nb = [\"xoxb-hunter2\"] # AKIA0123456789ABCDEF hunter2, psk = hunter2",
        ] {
            let shown = public(text);
            assert!(!shown.contains("hunter2"), "{text}\n---\n{shown}");
            assert!(!shown.contains("PASSWORD = 2") && !shown.contains("door_pin"), "{shown}");
            assert!(editable::parse(&shown).is_ok(), "{shown}");
        }
    }

    /// Values that are not secret stay as they are written, with their comments and variables.
    #[test]
    fn the_rest_is_unchanged() {
        let text = "# the gateway\n[proxy]\nid = \"a\" # ours\n[network.n.http]\nbind_port = $PORT\n\
                    [mesh.token-exchange]\njwt_private_key_path = \"keys/a.pem\"\ningress = [\n  \"i\", # one\n]\n\
                    [pipelines.secret]\nnetworks = [\"n\"]\n[backends.b]\noptions.base_url = \"https://$HOST/x?y=1\"\n\
                    [middleware.l]\noptions.redact_headers = [\"authorization\", \"x-api-key\"]\n";
        assert_eq!(public(text), text);
        assert_eq!(
            public("[mesh.m]\nid = \"i\"\njwt_secret = \"hunter2\" # x\ningress = []\n"),
            "[mesh.m]\nid = \"i\"\ningress = []\n"
        );
    }

    #[test]
    fn what_returns_takes_no_secret_away() {
        let sensitive = Sensitive::new(known, &[]);
        let own = "[mesh.m]\nprovider = \"local\"\njwt_secret = \"hunter2\"\ningress = []\n";
        let merged = |incoming: &str| with_own_secrets(incoming, own, &sensitive, &test_registry());
        assert_eq!(merged("[mesh.m]\ningress = []\nprovider = \"local\"\n"), None);
        let edited = merged("[mesh.m]\nprovider = \"local\"\ningress = [\"i\"]\n").unwrap();
        assert!(edited.contains("hunter2") && edited.contains("[\"i\"]"), "{edited}");
        for other in [
            "[mesh.m]\nprovider = \"runbeam\"\ningress = []\n",
            "[mesh.m]\nprovider = \"local\"\njwt_public_key_path = \"p\"\n",
            "[mesh.m]\nprovider = \"local\"\njwt_secret = \"another\"\ningress = []\n",
        ] {
            assert_eq!(merged(other).as_deref(), Some(other));
        }
    }
}
