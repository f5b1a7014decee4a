//! The comparison of two snapshots.

use crate::difference::changed_file::ChangedFile;
use crate::difference::draft::Drafts;
use crate::difference::entry::{Difference, Kind, Sign};
use crate::difference::{certificates, definitions, listeners, meshes, routes};
use crate::documents::{Content, Document};
use crate::snapshot::Snapshot;

/// Returns the differences, and the number of files that differ.
pub(super) fn compare(before: Option<&Snapshot>, after: &Snapshot) -> (Vec<Difference>, usize) {
    let files: Vec<ChangedFile<'_>> = match before {
        Some(before) => {
            let changed = after.documents.changed_files(&before.documents);
            let differs =
                |(_, old, new): &ChangedFile<'_>| old.map(|file| file.digest) != new.map(|file| file.digest);
            changed.filter(differs).collect()
        }
        None => after.documents.entries().map(|(name, file)| (name, None, Some(file))).collect(),
    };
    let mut drafts = Drafts::default();
    definitions::compare(&files, &mut drafts);
    transforms(&files, &mut drafts);
    routes::compare(before, after, &mut drafts);
    listeners::compare(before, after, &mut drafts);
    meshes::compare(before, after, &mut drafts);
    certificates::compare(before, after, &files, &mut drafts);
    primary(before, after, &mut drafts);
    (drafts.finish(), files.len())
}

fn transforms(files: &[ChangedFile<'_>], drafts: &mut Drafts) {
    let is_transform = |file: &Document| matches!(file.content, Content::Transform(_));
    for (name, old, new) in files {
        if old.is_some_and(is_transform) || new.is_some_and(is_transform) {
            drafts.add(Sign::of(old.is_some(), new.is_some()), Kind::Transform, *name, None);
        }
    }
}

/// Compares the choice of the primary provider, which may follow from a default, or from a section that is disabled.
fn primary(before: Option<&Snapshot>, after: &Snapshot, drafts: &mut Drafts) {
    let Some(before) = before else { return };
    let (old, new) = (&before.config.primary, &after.config.primary);
    if old.name != new.name {
        let clause = format!("is now the primary provider (was {})", old.name);
        drafts.note(Kind::Provider, new.name.as_str(), vec![clause]);
    }
}
