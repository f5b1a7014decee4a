//! Users of the machine: the owners of files, and names.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// The number of files that are looked at.
const MAX_FILES: usize = 100;

/// Returns the names of the users whom the files belong to; the number of one without a name.
pub(crate) fn owners(paths: impl Iterator<Item = PathBuf>) -> Vec<String> {
    let uids: BTreeSet<u32> = paths
        .take(MAX_FILES)
        .filter_map(|path| fs::symlink_metadata(path).ok())
        .map(|file| file.uid())
        .collect();
    uids.into_iter().map(|uid| name_of(uid).unwrap_or_else(|| uid.to_string())).collect()
}

/// Returns the name of a user.
pub(crate) fn name_of(uid: u32) -> Option<String> {
    let all = fs::read_to_string("/etc/passwd").ok()?;
    all.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_have_names() {
        assert_eq!(name_of(0).as_deref(), Some("root"));
        assert_eq!(name_of(u32::MAX - 7), None);
        let file = tempfile::NamedTempFile::new().unwrap();
        let uid = fs::metadata(file.path()).unwrap().uid();
        let paths = [file.path().to_owned(), PathBuf::from("/nowhere")];
        assert_eq!(owners(paths.into_iter()), [name_of(uid).unwrap_or_else(|| uid.to_string())]);
    }
}
