//! Differences of certificates and keys in files of their own.

use std::collections::BTreeMap;

use crate::difference::changed_file::ChangedFile;
use crate::difference::draft::Drafts;
use crate::difference::entry::{Kind, Sign};
use crate::documents::{Content, Document};
use crate::snapshot::Snapshot;
use crate::snapshot::certificates::CertificateEnd;
use crate::status::timestamp;

/// Compares the certificates that the configurations name, and the files of keys.
pub(super) fn compare(
    before: Option<&Snapshot>,
    after: &Snapshot,
    files: &[ChangedFile<'_>],
    drafts: &mut Drafts,
) {
    let old = before.map(|before| by_file(&before.certificates)).unwrap_or_default();
    let new = by_file(&after.certificates);
    let is_changed = |file: &str| files.iter().any(|(name, _, _)| *name == file);
    for file in old.keys().chain(new.keys().filter(|file| !old.contains_key(*file))) {
        let (was, is) = (old.get(file), new.get(file));
        let clause = match (was, is) {
            (Some(was), Some(is)) if was.ends_at != is.ends_at => {
                format!("{}: ends {} (was {})", owner(is), end(is), end(was))
            }
            (Some(_), Some(is)) if is_changed(file) => {
                format!("{}: replaced, ends {}", owner(is), end(is))
            }
            (Some(_), Some(_)) | (None, None) => continue,
            (None, Some(one)) => format!("{}: ends {}", owner(one), end(one)),
            (Some(one), None) => owner(one),
        };
        drafts.add(Sign::of(was.is_some(), is.is_some()), Kind::Certificate, *file, [clause]);
    }
    let is_pem = |file: &Document| matches!(file.content, Content::Pem(_));
    for (name, was, is) in files {
        if (was.is_some_and(is_pem) || is.is_some_and(is_pem))
            && !old.contains_key(name)
            && !new.contains_key(name)
        {
            let sign = Sign::of(was.is_some(), is.is_some());
            let replaced = (sign == Sign::Changed).then(|| "replaced".to_owned());
            drafts.add(sign, Kind::KeyFile, *name, replaced);
        }
    }
}

fn by_file(all: &[CertificateEnd]) -> BTreeMap<&str, &CertificateEnd> {
    all.iter().map(|one| (one.file.value.as_str(), one)).collect()
}

fn end(one: &CertificateEnd) -> String {
    timestamp(one.ends_at).to_string()
}

/// Returns the part of the configuration that uses the certificate: `of network public`.
fn owner(one: &CertificateEnd) -> String {
    let mut parts = one.key.split('.');
    match (parts.next(), parts.next()) {
        (Some("network"), Some(name)) => format!("of network {name}"),
        (Some("backends"), Some(name)) => format!("authorities of backend {name}"),
        _ => format!("of {}", one.key),
    }
}
