//! The values that a control plane directs: those of the sections that it set a part of.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::keys::is_named_section;
use crate::config::{Fragment, Target};
use crate::documents::Documents;
use crate::documents::marks::Mark;

/// The settings of the gateway itself: a change sets single keys there, and none of them says where another goes.
/// `[provider.*]` is among them, because no change may set the address of a control plane.
const SINGLE_KEYS: [&str; 3] = ["proxy", "provider", "management"];

/// Returns the part of a document that a control plane directs by setting `key`: the section with a name, such as
/// `targets.t`. Who sets the host of a section decides which server gets its path. For a section of which this gateway
/// does not know the keys, that is all of it.
pub(super) fn reach(key: &str) -> &str {
    let (top, rest) = key.split_once('.').unwrap_or((key, ""));
    if SINGLE_KEYS.contains(&top) {
        return key;
    }
    match rest.split('.').next() {
        Some(name) if !name.is_empty() && is_named_section(top) => &key[..top.len() + 1 + name.len()],
        _ => top,
    }
}

/// Returns whether `key` is within the dotted key `above`.
pub(super) fn is_within(key: &str, above: &str) -> bool {
    key.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Returns the sections that a control plane directs from another one, each with the key there: it set the connection of
/// a backend whose path is that of a local target, or the target of a local backend.
pub(super) fn by_name(documents: &Documents, is_remote: impl Fn(&str, &str) -> bool) -> Vec<(Mark, String)> {
    let mut targets: HashMap<&str, Vec<(&Fragment, &Target)>> = HashMap::new();
    for holder in documents.fragments() {
        for target in &holder.targets {
            targets.entry(&target.name).or_default().push((holder, target));
        }
    }
    let mut directed = Vec::new();
    for user in documents.fragments() {
        for backend in &user.backends {
            let named = backend.target_ref.as_ref().and_then(|name| targets.get(name.value.as_str()));
            let Some(named) = named else { continue };
            let own = format!("backends.{}", backend.name);
            for (holder, target) in meant_by(user, named) {
                let named = format!("targets.{}", target.name);
                let (user, holder) = (user.source.name(), holder.source.name());
                let mut add = |file: &str, key: &str, by: &str| {
                    directed.push((
                        Mark { overlay: false, file: file.to_owned(), key: Some(key.to_owned()) },
                        by.to_owned(),
                    ));
                };
                if is_remote(user, &own) && backend.connection.is_set() {
                    add(holder, &named, &own);
                }
                if is_remote(holder, &named) {
                    add(user, &own, &named);
                }
            }
        }
    }
    directed
}

/// Returns the targets of a name that a backend in the file `user` may mean, with their files.
fn meant_by<'d>(user: &Fragment, named: &[(&'d Fragment, &'d Target)]) -> Vec<(&'d Fragment, &'d Target)> {
    let is_own = |(holder, _): &&(&Fragment, &Target)| Arc::ptr_eq(&holder.source, &user.source);
    match named.iter().find(is_own) {
        Some(own) => vec![*own],
        None => named.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_directs_its_section() {
        for (key, expected) in [
            ("targets.t.connection.port", "targets.t"),
            ("targets.t", "targets.t"),
            ("targets", "targets"),
            ("pipelines.p.mesh.ingress.i.urls", "pipelines.p"),
            ("network.n.http.bind_port", "network.n"),
            ("proxy.content_limits.max_body_size", "proxy.content_limits.max_body_size"),
            ("provider.runbeam.poll_interval_secs", "provider.runbeam.poll_interval_secs"),
            ("storage.url", "storage"),
            ("services.s.headers", "services"),
            ("unknown.a.b", "unknown"),
            ("", ""),
        ] {
            assert_eq!(reach(key), expected, "{key}");
        }
        assert!(is_within("targets.t.connection", "targets.t") && !is_within("targets.tt", "targets.t"));
    }
}
