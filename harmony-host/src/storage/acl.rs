//! Access control lists of files (acl(5)). The group part of a mode is then the mask of the list, not what the group may do:
//! a file with the mode and without the list would be open to more.

use std::fs::{File, Permissions};
use std::io;
use std::path::Path;

/// Gives `new` these permissions and the access control list of `old`, and takes one that it has from its directory. If the
/// list cannot be kept, nobody beside the owner and the others of the mode has access.
///
/// # Errors
/// The error of the operating system.
pub(super) fn keep(new: &File, old: &Path, kept: Permissions) -> io::Result<()> {
    let list = imp::read(old)?;
    let has_list = list.is_some();
    let is_kept = list.is_none_or(|list| imp::set(new, &list));
    if !has_list {
        imp::remove(new)?;
    }
    new.set_permissions(if is_kept { kept } else { without_group(&kept) })
}

/// Returns permissions without those of the group.
pub(super) fn without_group(permissions: &Permissions) -> Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    Permissions::from_mode(permissions.mode() & !0o070)
}

#[cfg(target_os = "linux")]
mod imp {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    use rustix::fs::{XattrFlags, fremovexattr, fsetxattr, getxattr};
    use rustix::io::Errno;

    const NAME: &str = "system.posix_acl_access";

    /// The size limit of an extended attribute in Linux.
    const MAX_BYTES: usize = 64 * 1024;

    pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
        let mut list = vec![0; MAX_BYTES];
        match getxattr(path, NAME, &mut list[..]) {
            Ok(length) => {
                list.truncate(length);
                Ok(Some(list))
            }
            // The file may be gone meanwhile; replacing it then meets another content than the expected one.
            Err(error) if is_none(error) || error == Errno::NOENT => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns whether the list is set.
    pub(super) fn set(file: &File, list: &[u8]) -> bool {
        fsetxattr(file, NAME, list, XattrFlags::empty()).is_ok()
    }

    pub(super) fn remove(file: &File) -> io::Result<()> {
        match fremovexattr(file, NAME) {
            Err(error) if !is_none(error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn is_none(error: Errno) -> bool {
        [Errno::NODATA, Errno::OPNOTSUPP, Errno::NOSYS].contains(&error)
    }
}

/// Elsewhere the lists do not show in the mode.
#[cfg(not(target_os = "linux"))]
mod imp {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn read(_: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    pub(super) fn set(_: &File, _: &[u8]) -> bool {
        true
    }

    pub(super) fn remove(_: &File) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use rustix::fs::{XattrFlags, getxattr, setxattr};

    use crate::storage::atomic_file::write;

    const LIST: &str = "system.posix_acl_access";

    /// A list as the kernel takes it: version 2, then tag, permissions and id of each entry. The group may read, another user
    /// may write.
    fn list() -> Vec<u8> {
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in
            [(1_u16, 6_u16, u32::MAX), (2, 6, 12_345), (4, 4, u32::MAX), (16, 6, u32::MAX), (32, 0, u32::MAX)]
        {
            list.extend(tag.to_le_bytes());
            list.extend(permissions.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        list
    }

    fn list_of(path: &std::path::Path) -> Option<Vec<u8>> {
        let mut list = vec![0; 1024];
        let length = getxattr(path, LIST, &mut list[..]).ok()?;
        list.truncate(length);
        Some(list)
    }

    fn skipped() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: this file system has no access control lists");
    }

    #[test]
    fn a_replaced_file_keeps_its_list() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("listed.toml");
        fs::write(&file, "one").unwrap();
        if setxattr(&file, LIST, &list(), XattrFlags::empty()).is_err() {
            return skipped();
        }
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o660);
        write(&file, b"two", 0o644).unwrap();
        assert_eq!((list_of(&file), fs::read(&file).unwrap()), (Some(list()), b"two".to_vec()));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o660);
    }

    /// The entries of the directory for new files are not those of a file that is replaced.
    #[test]
    fn a_replaced_file_gets_no_list() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("plain.toml");
        fs::write(&file, "one").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        if setxattr(dir.path(), "system.posix_acl_default", &list(), XattrFlags::empty()).is_err() {
            return skipped();
        }
        write(&file, b"two", 0o644).unwrap();
        assert_eq!(list_of(&file), None);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
