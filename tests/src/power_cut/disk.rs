//! A model of a disk: the operations in their order, and what of them a power cut leaves.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use harmony_host::power_cut::Operation;

/// The files of a tree by their path, and its directories (`None`).
pub(super) type Tree = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// The remains of an operation that was not synced, after a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Kept,
    Lost,
    /// Half of a content; any other operation is kept or lost as a whole.
    Torn,
}

/// A file, whatever its names.
type Inode = usize;

/// The effect of an operation.
#[derive(Clone, Debug)]
enum Effect {
    /// Names that a directory has, or has no longer, afterwards.
    Names(Vec<(PathBuf, Option<Entry>)>),
    Content(Inode, Vec<u8>),
    /// Content from a position on.
    Append(Inode, usize, Vec<u8>),
    /// Syncs change nothing that a process sees.
    None,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    File(Inode),
    Directory,
}

/// The recorded operations with their effects.
#[derive(Debug)]
pub(super) struct Disk {
    base: BTreeMap<PathBuf, Entry>,
    contents: Vec<Vec<u8>>,
    effects: Vec<Effect>,
    /// The operation with which each is on the disk for good.
    synced_by: Vec<Option<usize>>,
}

impl Disk {
    /// Replays the operations on a tree that is on the disk.
    pub(super) fn new(tree: &Tree, operations: &[Operation]) -> Self {
        let (mut base, mut contents) = (BTreeMap::new(), Vec::new());
        for (path, content) in tree {
            let entry = match content {
                None => Entry::Directory,
                Some(content) => {
                    contents.push(content.clone());
                    Entry::File(contents.len() - 1)
                }
            };
            base.insert(path.clone(), entry);
        }
        let mut names = base.clone();
        let mut files = contents.len();
        let effects: Vec<Effect> = operations
            .iter()
            .map(|operation| {
                let effect = effect(operation, &names, &mut files);
                if let Effect::Names(changed) = &effect {
                    set(&mut names, changed);
                }
                effect
            })
            .collect();
        contents.resize(files, Vec::new());
        let synced_by = synced_by(operations, &effects, &base);
        Self { base, contents, effects, synced_by }
    }

    /// Returns the operations of a prefix that a power cut may undo.
    pub(super) fn pending(&self, prefix: usize) -> Vec<(usize, &'static [Fate])> {
        let is_pending = |at: &usize| self.synced_by[*at].is_none_or(|by| by >= prefix);
        let fates = |at: usize| -> Option<(usize, &'static [Fate])> {
            match &self.effects[at] {
                Effect::None => None,
                Effect::Names(_) => Some((at, &[Fate::Kept, Fate::Lost])),
                Effect::Content(..) | Effect::Append(..) => Some((at, &[Fate::Kept, Fate::Lost, Fate::Torn])),
            }
        };
        (0..prefix).filter(is_pending).filter_map(fates).collect()
    }

    /// Returns the tree that a power cut after a prefix leaves, with these fates of pending operations.
    pub(super) fn tree(&self, prefix: usize, fates: &HashMap<usize, Fate>) -> Tree {
        let (mut names, mut contents) = (self.base.clone(), self.contents.clone());
        for (at, effect) in self.effects[..prefix].iter().enumerate() {
            match (effect, fates.get(&at).copied().unwrap_or(Fate::Kept)) {
                (_, Fate::Lost) | (Effect::None, _) => {}
                (Effect::Names(changed), _) => set(&mut names, changed),
                (Effect::Content(inode, content), fate) => {
                    let left = if fate == Fate::Torn { content.len() / 2 } else { content.len() };
                    contents[*inode] = content[..left].to_vec();
                }
                (Effect::Append(inode, end, content), fate) => {
                    let left = if fate == Fate::Torn { content.len() / 2 } else { content.len() };
                    contents[*inode].resize(*end, 0);
                    contents[*inode].extend_from_slice(&content[..left]);
                }
            }
        }
        let is_there = |path: &Path| {
            path.ancestors()
                .skip(1)
                .all(|above| !self.is_below_base(above) || matches!(names.get(above), Some(Entry::Directory)))
        };
        names
            .iter()
            .filter(|(path, _)| is_there(path))
            .map(|(path, entry)| match entry {
                Entry::Directory => (path.clone(), None),
                Entry::File(inode) => (path.clone(), Some(contents[*inode].clone())),
            })
            .collect()
    }

    fn is_below_base(&self, path: &Path) -> bool {
        self.base.keys().next().is_some_and(|root| path.starts_with(root))
    }
}

fn set(names: &mut BTreeMap<PathBuf, Entry>, changed: &[(PathBuf, Option<Entry>)]) {
    for (path, entry) in changed {
        match entry {
            Some(entry) => names.insert(path.clone(), entry.clone()),
            None => names.remove(path),
        };
    }
}

fn effect(operation: &Operation, names: &BTreeMap<PathBuf, Entry>, files: &mut usize) -> Effect {
    let entry = |path: &PathBuf| names.get(path).cloned();
    match operation {
        Operation::Create(path) => {
            *files += 1;
            Effect::Names(vec![(path.clone(), Some(Entry::File(*files - 1)))])
        }
        Operation::Write(path, content) => match names.get(path) {
            Some(Entry::File(inode)) => Effect::Content(*inode, content.clone()),
            _ => Effect::None,
        },
        Operation::Append(path, end, content) => match names.get(path) {
            Some(Entry::File(inode)) => Effect::Append(*inode, *end as usize, content.clone()),
            _ => Effect::None,
        },
        Operation::Rename(from, to) => Effect::Names(vec![(to.clone(), entry(from)), (from.clone(), None)]),
        Operation::Exchange(one, other) => {
            Effect::Names(vec![(one.clone(), entry(other)), (other.clone(), entry(one))])
        }
        Operation::Link(from, to) => Effect::Names(vec![(to.clone(), entry(from))]),
        Operation::Remove(path) => Effect::Names(vec![(path.clone(), None)]),
        Operation::MakeDirectory(path) => Effect::Names(vec![(path.clone(), Some(Entry::Directory))]),
        _ => Effect::None,
    }
}

/// Finds the operation with which each is on the disk: a sync of the file for a content, a sync of every directory it
/// changes for names.
fn synced_by(
    operations: &[Operation],
    effects: &[Effect],
    base: &BTreeMap<PathBuf, Entry>,
) -> Vec<Option<usize>> {
    let mut names = base.clone();
    let (mut synced, mut waiting) = (vec![None; effects.len()], Vec::<(usize, Vec<PathBuf>)>::new());
    let mut written: HashMap<Inode, Vec<usize>> = HashMap::new();
    for (at, (operation, effect)) in operations.iter().zip(effects).enumerate() {
        match (operation, effect) {
            (_, Effect::Content(inode, _) | Effect::Append(inode, ..)) => {
                written.entry(*inode).or_default().push(at)
            }
            (_, Effect::Names(changed)) => {
                set(&mut names, changed);
                let mut above: Vec<PathBuf> =
                    changed.iter().filter_map(|(path, _)| path.parent().map(Path::to_owned)).collect();
                above.dedup();
                waiting.push((at, above));
            }
            (Operation::Sync(path), _) => {
                if let Some(Entry::File(inode)) = names.get(path) {
                    written.remove(inode).into_iter().flatten().for_each(|write| synced[write] = Some(at));
                }
            }
            (Operation::SyncDirectory(path), _) => {
                for (waiter, above) in &mut waiting {
                    above.retain(|directory| directory != path);
                    if above.is_empty() && synced[*waiter].is_none() {
                        synced[*waiter] = Some(at);
                    }
                }
                waiting.retain(|(_, above)| !above.is_empty());
            }
            _ => {}
        }
    }
    synced
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is written, synced and renamed over another: it is never half, and not lost once its directory is synced.
    #[test]
    fn a_replacement_is_old_or_new_until_it_is_synced() {
        let at = |name: &str| PathBuf::from("/d").join(name);
        let tree: Tree = [("/d".into(), None), (at("a"), Some(b"old".to_vec()))].into();
        let operations = [
            Operation::Create(at("t")),
            Operation::Write(at("t"), b"newer".to_vec()),
            Operation::Sync(at("t")),
            Operation::Rename(at("t"), at("a")),
            Operation::SyncDirectory("/d".into()),
        ];
        let disk = Disk::new(&tree, &operations);
        assert_eq!(disk.pending(2).len(), 2, "the name and the content");
        assert_eq!(disk.pending(4).len(), 2, "two names");
        assert!(disk.pending(5).is_empty());
        let torn = disk.tree(2, &[(1, Fate::Torn)].into());
        assert_eq!(torn[&at("t")].as_deref(), Some(&b"ne"[..]));
        assert_eq!(disk.tree(4, &[(3, Fate::Lost)].into())[&at("a")].as_deref(), Some(&b"old"[..]));
        let done = disk.tree(5, &HashMap::new());
        assert_eq!((done[&at("a")].as_deref(), done.len()), (Some(&b"newer"[..]), 2));
    }

    #[test]
    fn files_of_a_lost_directory_are_lost() {
        let tree: Tree = [("/d".into(), None)].into();
        let operations = [
            Operation::MakeDirectory("/d/e".into()),
            Operation::Create("/d/e/a".into()),
            Operation::SyncDirectory("/d/e".into()),
        ];
        let disk = Disk::new(&tree, &operations);
        assert_eq!(disk.pending(3).len(), 1, "only the directory itself");
        assert_eq!(disk.tree(3, &[(0, Fate::Lost)].into()).len(), 1);
    }
}
