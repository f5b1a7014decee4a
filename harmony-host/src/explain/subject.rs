//! The meaning of the text that is to be explained: a URL, a path, a key, a definition or a reference.

use provider_api::Reference;

use crate::config::keys::is_named_section;
use crate::config::keys::sections::{FOREIGN, SECTIONS};
use crate::diagnostics::escape::is_unsafe;
use crate::explain::explanation::Explanation;
use crate::explain::key::known;
use crate::explain::{Asked, Refusal};

/// The forms that are understood, for refusals.
const EXPECTED: &str = "expected a URL (https://host/path), a path (/path), a key (network.default.http.bind_port), a definition (pipelines.hello) or a reference (local.name.hello)";

/// The longest text that is explained, in bytes.
const MAX_SUBJECT_BYTES: usize = 2048;

/// Explains a URL, a path, a reference, a key or a definition. Asks no control plane.
///
/// # Errors
/// The reason for which there is nothing to explain, with names that may be meant.
pub(crate) async fn explain(asked: &Asked<'_>, subject: &str) -> Result<Explanation, Refusal> {
    let subject = subject.trim();
    if subject.is_empty() {
        return Err(Refusal::malformed(EXPECTED));
    }
    if subject.len() > MAX_SUBJECT_BYTES || subject.contains(is_unsafe) {
        let message =
            format!("expected at most {MAX_SUBJECT_BYTES} bytes without control characters; {EXPECTED}");
        return Err(Refusal::malformed(message));
    }
    if subject.contains("://") {
        return asked.url(subject).await.map(Explanation::Url);
    }
    if subject.starts_with('/') {
        return Ok(Explanation::Url(asked.path(subject).await));
    }
    match whole_key(subject) {
        Some(key) => asked.key_or_definition(&key),
        None => asked.reference_or_nothing(subject).await,
    }
}

/// Returns the whole key that a text means: it begins with a section, or is a key of one without names.
fn whole_key(subject: &str) -> Option<String> {
    let subject = subject.trim_matches(['[', ']']);
    let top = subject.split('.').next().unwrap_or_default();
    let is_section = SECTIONS.iter().any(|section| section.path.split('.').next() == Some(top));
    // A section of other programs may have the name of a provider.
    let is_foreign = FOREIGN.contains(&top) && subject.parse::<Reference>().is_err();
    if is_section || is_foreign {
        return Some(subject.to_owned());
    }
    let unnamed = SECTIONS.iter().filter(|section| !section.path.contains('*'));
    let mut keys = unnamed.flat_map(|section| section.keys.iter().map(move |key| (section.path, key.name)));
    keys.find(|(_, name)| *name == subject).map(|(section, name)| format!("{section}.{name}"))
}

impl Asked<'_> {
    fn key_or_definition(&self, key: &str) -> Result<Explanation, Refusal> {
        let parts: Vec<&str> = key.split('.').collect();
        let top = parts.first().copied().unwrap_or_default();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(Refusal::malformed(format!("this key has an empty part; {EXPECTED}")));
        }
        if parts.len() == 1 && (is_named_section(top) || FOREIGN.contains(&top)) {
            let message = format!("`{top}` is a section with names: give one of them");
            let mut refusal = Refusal::unknown(message);
            refusal.suggestions = self.names_of(top);
            return Err(refusal);
        }
        let mut written = self.written(key);
        let known = known(key);
        written.retain(|one| known.is_none() || one.key == key);
        let is_leaf = written.len() == 1 && written.iter().all(|one| one.key == key && parts.len() > 1);
        let is_defined = parts.len() < 3 || !is_named_section(top) || self.is_defined(&parts);
        match (known, is_leaf) {
            (Some(_), _) if is_defined => Ok(Explanation::Key(Box::new(self.key(key, known, &written)))),
            (None, true) if !is_empty_definition(&parts) => {
                Ok(Explanation::Key(Box::new(self.key(key, None, &written))))
            }
            _ => self
                .definition(key, written)
                .map(Explanation::Definition)
                .ok_or_else(|| self.unknown_key(key, &parts)),
        }
    }

    /// Returns whether the configuration has the definition that a key belongs to.
    fn is_defined(&self, parts: &[&str]) -> bool {
        let Some(definition) = parts.get(..2) else { return true };
        let has_default_section = parts.first() == Some(&"provider")
            && parts.get(1) == Some(&self.snapshot.config.primary.name.as_str());
        has_default_section || !self.written(&definition.join(".")).is_empty()
    }

    fn unknown_key(&self, key: &str, parts: &[&str]) -> Refusal {
        let section = parts.first().copied().unwrap_or_default();
        if is_named_section(section)
            && let [_, name, ..] = parts
            && !self.is_defined(parts)
        {
            let names = self.names_of(section);
            let message = format!("the configuration has no `{section}.{name}`");
            let bare = names.iter().filter_map(|known| known.split_once('.').map(|(_, bare)| bare));
            let mut refusal = Refusal::unknown(message).suggest(name, bare);
            refusal.suggestions.iter_mut().for_each(|known| *known = format!("{section}.{known}"));
            return refusal;
        }
        let message = format!("no file sets `{key}`, and there is no such key");
        let keys = keys_beside(parts);
        Refusal::unknown(message).suggest(key, keys.iter().map(String::as_str))
    }

    async fn reference_or_nothing(&self, subject: &str) -> Result<Explanation, Refusal> {
        let Ok(reference) = subject.parse::<Reference>() else {
            let names = self.all_names();
            let message = format!("this is neither a URL nor a key nor a reference; {EXPECTED}");
            let refusal = Refusal::malformed(message);
            return Err(refusal.suggest(subject, names.iter().map(String::as_str)));
        };
        let explained = self.reference(&reference).await;
        if explained.is_known() {
            return Ok(Explanation::Reference(Box::new(explained)));
        }
        let mut refusal = Refusal::unknown(format!(
            "there is no resource, and no key, `{subject}`: {}",
            explained.in_words
        ));
        // A bare name may be that of a definition.
        let names = self.all_names();
        let bare = names.iter().filter(|name| name.split_once('.').is_some_and(|(_, bare)| bare == subject));
        refusal.suggestions.extend(bare.take(5).cloned());
        if !refusal.suggestions.is_empty() {
            return Err(refusal);
        }
        let near = |name: &String| {
            let bare = name.split_once('.').map_or(name.as_str(), |(_, bare)| bare);
            strsim::normalized_damerau_levenshtein(subject, bare)
        };
        let mut ranked: Vec<(f64, String)> =
            names.into_iter().map(|name| (near(&name), name)).filter(|(near, _)| *near >= 0.6).collect();
        ranked.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.cmp(other)));
        refusal.suggestions.extend(ranked.into_iter().take(5).map(|(_, name)| name));
        Err(refusal)
    }

    /// Returns the definitions of a section, such as `network.default`.
    fn names_of(&self, section: &str) -> Vec<String> {
        let prefix = format!("{section}.");
        let mut names: Vec<String> =
            self.all_names().into_iter().filter(|name| name.starts_with(&prefix)).collect();
        names.truncate(50);
        names
    }

    /// Returns the keys of sections without names, and the definitions.
    fn all_names(&self) -> Vec<String> {
        let documents = &self.snapshot.documents;
        let mut names: Vec<String> = Vec::new();
        for section in SECTIONS.iter().filter(|section| !section.path.contains('*')) {
            names.extend(section.keys.iter().map(|key| format!("{}.{}", section.path, key.name)));
        }
        for fragment in documents.fragments() {
            let mut add = |section: &str, name: &str| names.push(format!("{section}.{name}"));
            fragment.pipelines.iter().for_each(|one| add("pipelines", &one.name));
            fragment.endpoints.iter().for_each(|one| add("endpoints", &one.name));
            fragment.backends.iter().for_each(|one| add("backends", &one.name));
            fragment.targets.iter().for_each(|one| add("targets", &one.name));
            fragment.peers.iter().for_each(|one| add("peers", &one.name));
            fragment.middleware.iter().for_each(|one| add("middleware", &one.name));
            fragment.meshes.iter().for_each(|one| add("mesh", &one.name));
            fragment.remote_ingress.iter().for_each(|one| add("remote_ingress", &one.name));
            if let Some(gateway) = &fragment.gateway {
                gateway.networks.iter().for_each(|one| add("network", &one.name));
                gateway.providers.by_name.keys().for_each(|name| add("provider", name.as_str()));
            }
        }
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Returns whether a key is the name of a definition, which has no keys if it is a value.
fn is_empty_definition(parts: &[&str]) -> bool {
    matches!(parts, [section, _] if is_named_section(section))
}

/// Returns the whole keys of the sections that a key may belong to.
fn keys_beside(parts: &[&str]) -> Vec<String> {
    let mut keys = Vec::new();
    for section in SECTIONS {
        let own: Vec<&str> = section.path.split('.').collect();
        if own.first() != parts.first() {
            continue;
        }
        let named: Vec<&str> = own
            .iter()
            .enumerate()
            .map(|(at, part)| if *part == "*" { parts.get(at).copied().unwrap_or("*") } else { part })
            .collect();
        keys.extend(section.keys.iter().map(|key| format!("{}.{}", named.join("."), key.name)));
    }
    keys
}
