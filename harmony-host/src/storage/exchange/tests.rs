//! Tests of the replacement of files that are edited at the same time, with exchanges and without.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::storage::failpoints::NO_EXCHANGE;

/// Runs a test on a file system that exchanges files, and on one that does not.
fn both(test: impl Fn(&Path, &Path)) {
    for no_exchange in [false, true] {
        NO_EXCHANGE.set(no_exchange);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        fs::write(&path, "old").unwrap();
        test(&path, dir.path());
        NO_EXCHANGE.set(false);
    }
}

fn is(expected: &'static str) -> impl Fn(&[u8]) -> bool {
    move |content| content == expected.as_bytes()
}

fn write(path: &Path, text: &str) -> Outcome {
    replace(path, text.as_bytes(), Access::Keep(0o644), Some(&is("old"))).unwrap()
}

/// Settles what was moved away, and returns what was saved.
fn settled(path: &Path) -> Vec<String> {
    let mut saved = Vec::new();
    let mut save = |content: &[u8]| {
        saved.push(String::from_utf8_lossy(content).into_owned());
        Ok(())
    };
    settle(path, &|content| is("old")(content) || is("new")(content), &mut save).unwrap();
    saved
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn names(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn expected_content_is_replaced_and_put_back() {
    both(|path, dir| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(write(path, "new"), Outcome::Done);
        assert_eq!((text(path).as_str(), names(dir)), ("new", 2), "the old file stays beside it");
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(put_back(path, &is("new")).unwrap(), Some(Outcome::Done));
        assert_eq!((text(path).as_str(), names(dir)), ("old", 1));
        assert_eq!(put_back(path, &is("new")).unwrap(), None);
        assert_eq!(write(path, "new"), Outcome::Done);
        assert!(settled(path).is_empty());
        assert_eq!((text(path).as_str(), names(dir)), ("new", 1));
    });
}

#[test]
fn an_edit_stays_where_it_is() {
    both(|path, dir| {
        let edits: [fn(&Path); 3] = [
            |path| fs::write(path, "by hand").unwrap(),
            |path| {
                fs::write(path.with_extension("tmp"), "by hand").unwrap();
                fs::rename(path.with_extension("tmp"), path).unwrap();
            },
            |path| {
                fs::write(path.with_extension("real"), "by hand").unwrap();
                fs::remove_file(path).unwrap();
                symlink("a.real", path).unwrap();
            },
        ];
        for edit in edits {
            edit(path);
            assert_eq!(write(path, "new"), Outcome::Edited);
            assert_eq!(text(path), "by hand");
            assert!(settled(path).is_empty());
        }
        assert_eq!(names(dir), 2);
    });
}

#[test]
fn a_removed_file_stays_removed_and_a_new_one_stays() {
    both(|path, dir| {
        fs::remove_file(path).unwrap();
        assert_eq!(write(path, "new"), Outcome::Edited);
        assert!(settled(path).is_empty());
        assert_eq!(names(dir), 0);
        let make = || replace(path, b"new", Access::Keep(0o644), None).unwrap();
        assert_eq!(make(), Outcome::Done);
        assert_eq!(remove(path, &is("new")).unwrap(), Outcome::Done);
        fs::write(path, "by hand").unwrap();
        assert_eq!(make(), Outcome::Edited);
        assert_eq!(remove(path, &is("new")).unwrap(), Outcome::Edited);
        assert_eq!((text(path).as_str(), names(dir)), ("by hand", 1));
    });
}

/// An editor that had the old file open writes to the displaced file.
#[test]
fn late_writes_are_saved_or_put_back() {
    both(|path, dir| {
        let open = || fs::File::options().write(true).open(path).unwrap();
        let late = |mut file: fs::File| std::io::Write::write_all(&mut file, b"by hand").unwrap();
        let editor = open();
        assert_eq!(write(path, "new"), Outcome::Done);
        late(editor);
        assert_eq!(settled(path), ["by hand"]);
        fs::write(path, "old").unwrap();
        let editor = open();
        assert_eq!(write(path, "new"), Outcome::Done);
        late(editor);
        assert_eq!(put_back(path, &is("new")).unwrap(), Some(Outcome::Done));
        assert_eq!((text(path).as_str(), names(dir)), ("by hand", 1));
    });
}

#[test]
fn edits_of_the_new_file_are_not_rolled_back() {
    both(|path, dir| {
        assert_eq!(write(path, "new"), Outcome::Done);
        fs::write(path, "by hand").unwrap();
        assert_eq!(put_back(path, &is("new")).unwrap(), Some(Outcome::Edited));
        assert!(settled(path).is_empty());
        assert_eq!((text(path).as_str(), names(dir)), ("by hand", 1));
    });
}

/// A process that is killed between the two moves leaves no file.
#[test]
fn interrupted_moves_are_completed() {
    both(|path, dir| {
        for moved in [displaced(path), withdrawn(path)] {
            fs::write(path, "old").unwrap();
            fs::rename(path, &moved).unwrap();
            complete(path, &is("new")).unwrap();
            assert_eq!((text(path).as_str(), names(dir)), ("old", 1));
        }
        fs::rename(path, displaced(path)).unwrap();
        fs::write(withdrawn(path), "new").unwrap();
        complete(path, &is("new")).unwrap();
        assert!(settled(path).is_empty());
        assert_eq!((text(path).as_str(), names(dir)), ("old", 1));
    });
}

#[test]
fn private_files_lose_the_access_of_others() {
    both(|path, _| {
        for mode in [0o644, 0o640, 0o400] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            replace(path, b"old", Access::Private, Some(&is("old"))).unwrap();
            assert!(settled(path).is_empty());
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::remove_file(path).unwrap();
        replace(path, b"old", Access::Private, None).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    });
}

/// Editors rename files into place as fast as they can: each of their texts is at its place, or was saved, or replaced by
/// an editor itself.
#[test]
fn no_edit_of_a_race_is_lost() {
    both(|path, dir| {
        let mut saved = Vec::new();
        for n in 0..200 {
            fs::write(path, "old").unwrap();
            let edit = format!("by hand {n}");
            let temporary = dir.join("editor.tmp");
            fs::write(&temporary, &edit).unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| fs::rename(&temporary, path).unwrap());
                let outcome = write(path, "new");
                if outcome == Outcome::Done && n % 2 == 0 {
                    put_back(path, &is("new")).unwrap();
                }
            });
            saved.extend(settled(path));
            assert!(text(path) == edit || saved.contains(&edit), "{n}: {} {saved:?}", text(path));
        }
    });
}

#[test]
fn long_names_have_a_place_beside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("n".repeat(255));
    fs::write(&path, "old").unwrap();
    assert_eq!(write(&path, "new"), Outcome::Done);
    assert!(settled(&path).is_empty());
    assert_eq!(names(dir.path()), 1);
}
