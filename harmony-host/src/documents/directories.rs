//! The check that the directories of the configuration are different directories on disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::Directory;
use crate::diagnostics::problem::Problems;
use crate::documents::identity::{Identity, around, directories_of, has_hard_link, real, within};

/// Checks that the directories differ from each other, and that none of them is or contains a directory that config.toml
/// is read through: the one that it is in, those of the links on the way to it, and that of the file itself.
///
/// A change may write to the directory of its kind. If that were also the directory of config.toml, a pipeline named
/// `config` would replace the gateway's settings, such as the URL that credentials are sent to. If two kinds shared a
/// directory, a change of one kind could replace or remove files of the other. Directories are the same by their real
/// paths or by their device and inode: a mount shows one directory at two paths.
pub(super) fn check(config: &Path, directories: &[(&'static str, Directory); 3], problems: &mut Problems) {
    let root = config.parent().unwrap_or_else(|| Path::new(""));
    let own = directories_of(config);
    let above: BTreeSet<Identity> = own.iter().flat_map(|path| around(path)).collect();
    let mut others: Vec<(&str, PathBuf)> = Vec::new();
    for (key, directory) in directories {
        let path = real(&root.join(&directory.path));
        let place = directory.configured.as_ref().map(|at| &at.place);
        let is_same = |other: &PathBuf| is_same(other, &path);
        let message = if own.first().is_some_and(is_same) {
            "this is the directory of config.toml".to_owned()
        } else if own.iter().any(is_same) {
            "this directory has the file that config.toml is a link to".to_owned()
        } else if own.iter().any(|own| own.starts_with(&path))
            || Identity::of(&path).is_some_and(|path| above.contains(&path))
        {
            "this directory contains the directory of config.toml".to_owned()
        } else if has_hard_link(&path, config) {
            "this directory has a hard link to config.toml".to_owned()
        } else if let Some((other, _)) = others.iter().find(|(_, known)| is_same(known)) {
            format!("this is the directory of `{other}` too")
        } else {
            others.push((key, path));
            continue;
        };
        problems
            .error(place, format!("proxy.{key}"), message)
            .help("give these files a directory of their own");
        others.push((key, path));
    }
}

/// Returns whether two real paths lead to one directory.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || Identity::of(one).is_some_and(|one| Identity::of(other) == Some(one))
}

/// Checks that no directory of a kind is, contains, or is within the state directory: a change could write there what the
/// gateway trusts after a restart, and a saved file would be read as one of the configuration.
pub(crate) fn check_state(
    root: &Path,
    state: &Path,
    directories: [(&'static str, &Directory); 3],
    problems: &mut Problems,
) {
    let state = real(state);
    let (above, below) = (around(&state), within(&state));
    for (key, directory) in directories {
        let path = real(&root.join(&directory.path));
        let identity = Identity::of(&path);
        let is_near = path.starts_with(&state)
            || state.starts_with(&path)
            || identity.is_some_and(|path| above.contains(&path) || below.contains(&path))
            || Identity::of(&state).is_some_and(|state| around(&path).contains(&state));
        if is_near {
            let place = directory.configured.as_ref().map(|at| &at.place);
            problems
                .error(place, format!("proxy.{key}"), "this directory and the state directory are not apart")
                .help("give these files a directory of their own");
        }
    }
}

/// Returns whether the file `name`, relative to `root`, is a symbolic link to a file that is not below the directory of
/// `name`. A mount of Kubernetes has links to files below it.
pub(crate) fn leads_out(root: &Path, name: &str) -> bool {
    let path = root.join(name);
    let Ok(file) = fs::canonicalize(&path) else { return false };
    path.parent().is_none_or(|parent| !file.starts_with(real(parent)))
}

/// Returns the file in `others` that the symbolic link `name` leads to, or `config` if `name` is that file on disk. All
/// names are relative to `root`.
pub(crate) fn same_file<'n>(
    root: &Path,
    name: &str,
    config: &'n str,
    mut others: impl Iterator<Item = &'n str>,
) -> Option<&'n str> {
    let path = root.join(name);
    if name != config
        && Identity::of(&path).is_some_and(|file| Identity::of(&root.join(config)) == Some(file))
    {
        return Some(config);
    }
    let file = fs::canonicalize(&path).ok()?;
    // Only a symbolic link can lead to another file. Links as such are allowed: a Kubernetes mount consists of links.
    let linked = path.parent().is_none_or(|parent| file.parent() != Some(real(parent).as_path()))
        || file.file_name() != path.file_name();
    if !linked {
        return None;
    }
    others.find(|other| *other != name && fs::canonicalize(root.join(other)).is_ok_and(|other| other == file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(root: &Path, [pipelines, mesh, transforms]: [&str; 3]) -> Vec<String> {
        let directory = |path: &str| Directory { path: path.to_owned(), configured: None };
        let all = [
            ("pipelines_path", directory(pipelines)),
            ("mesh_path", directory(mesh)),
            ("transforms_path", directory(transforms)),
        ];
        let mut problems = Problems::default();
        check(&root.join("config.toml"), &all, &mut problems);
        problems.errors().map(ToString::to_string).collect()
    }

    #[test]
    fn directories_must_differ() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("gateway");
        for name in ["pipelines", "mesh"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        std::os::unix::fs::symlink(&root, dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink(root.join("mesh"), root.join("mesh-link")).unwrap();
        assert_eq!(errors(&root, ["pipelines", "mesh", "transforms"]), Vec::<String>::new());
        assert_eq!(errors(&root, ["pipelines", "mesh", "pipelines/transforms"]), Vec::<String>::new());
        let absolute = root.display().to_string();
        for own in [".", "./", "pipelines/..", "../gateway", "../link", "missing/..", &absolute] {
            assert!(errors(&root, [own, "mesh", "t"])[0].contains("the directory of config.toml"), "{own}");
            assert!(
                errors(&root, ["pipelines", own, "t"])[0].contains("the directory of config.toml"),
                "{own}"
            );
        }
        for above in ["..", "/", "../../", "pipelines/../.."] {
            assert!(
                errors(&root, [above, "mesh", "t"])[0].contains("contains the directory of config.toml"),
                "{above}"
            );
        }
        assert_eq!(errors(&root, ["../beside", "mesh", "t"]), [""; 0], "a directory apart may be anywhere");
        for shared in ["mesh", "./mesh/", "pipelines/../mesh", "mesh-link"] {
            let found = errors(&root, [shared, "mesh", "t"]);
            assert!(found[0].contains("the directory of `pipelines_path` too"), "{shared}: {found:?}");
        }
        assert_eq!(errors(&root, ["new", "x/../new", "new/."]).len(), 2, "also what does not exist yet");
    }

    /// A backup of hard links elsewhere is no fault, also where a directory does not exist.
    #[test]
    fn hard_links_elsewhere_are_allowed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("gateway");
        fs::create_dir_all(root.join("pipelines")).unwrap();
        fs::write(root.join("config.toml"), "").unwrap();
        fs::hard_link(root.join("config.toml"), dir.path().join("backup.toml")).unwrap();
        assert_eq!(errors(&root, ["pipelines", "mesh", "transforms"]), [""; 0]);
        fs::hard_link(root.join("config.toml"), root.join("pipelines/own.toml")).unwrap();
        assert!(errors(&root, ["pipelines", "mesh", "transforms"])[0].contains("a hard link to config.toml"));
    }

    /// The file of config.toml may be elsewhere: no change may write where it is, or where a link on the way to it is.
    #[test]
    fn the_file_of_config_toml_is_apart() {
        let link = |to: &str, at: &Path| std::os::unix::fs::symlink(to, at).unwrap();
        for (files, links, key) in [
            (vec!["pipelines/config.toml"], vec![("pipelines/config.toml", "config.toml")], "pipelines_path"),
            (vec!["mesh/deep/c.toml"], vec![("mesh/deep/c.toml", "config.toml")], "mesh_path"),
            (
                vec!["elsewhere/config.toml"],
                vec![("elsewhere", "transforms"), ("elsewhere/config.toml", "config.toml")],
                "transforms_path",
            ),
            (
                vec!["elsewhere/config.toml", "pipelines/a.toml"],
                vec![
                    ("../elsewhere/config.toml", "pipelines/hop.toml"),
                    ("pipelines/hop.toml", "config.toml"),
                ],
                "pipelines_path",
            ),
        ] {
            let dir = tempfile::tempdir().unwrap();
            for name in files {
                fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
                fs::write(dir.path().join(name), "").unwrap();
            }
            links.iter().for_each(|(to, at)| link(to, &dir.path().join(at)));
            let found = errors(dir.path(), ["pipelines", "mesh", "transforms"]);
            assert!(matches!(&found[..], [only] if only.contains(key)), "{links:?}: {found:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("pipelines")).unwrap();
        fs::write(dir.path().join("config.toml"), "").unwrap();
        fs::hard_link(dir.path().join("config.toml"), dir.path().join("pipelines/a.toml")).unwrap();
        assert!(errors(dir.path(), ["pipelines", "mesh", "t"])[0].contains("a hard link"));
        // A mount of Kubernetes reaches all of its files through links.
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("..1/pipelines")).unwrap();
        fs::write(dir.path().join("..1/config.toml"), "").unwrap();
        for (to, at) in
            [("..1", "..data"), ("..data/config.toml", "config.toml"), ("..data/pipelines", "pipelines")]
        {
            link(to, &dir.path().join(at));
        }
        assert_eq!(errors(dir.path(), ["pipelines", "mesh", "t"]), [""; 0]);
    }

    #[test]
    fn the_state_is_apart() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("gateway");
        fs::create_dir_all(root.join(".runbeam/harmony")).unwrap();
        std::os::unix::fs::symlink(root.join(".runbeam"), root.join("link")).unwrap();
        let found = |path: &str, state: &str| {
            let own = Directory { path: path.to_owned(), configured: None };
            let other = Directory { path: "mesh".to_owned(), configured: None };
            let mut problems = Problems::default();
            let all = [("pipelines_path", &other), ("mesh_path", &other), ("transforms_path", &own)];
            check_state(&root, &root.join(state), all, &mut problems);
            problems.errors().count()
        };
        for near in [".runbeam", ".runbeam/harmony", "link/new", "x/../.runbeam"] {
            assert_eq!(found(near, ".runbeam"), 1, "{near}");
        }
        assert_eq!(found("data", "data/state"), 1);
        assert_eq!(found("transforms", ".runbeam"), 0);
    }

    #[test]
    fn links_that_lead_out_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("pipelines/..one")).unwrap();
        fs::create_dir_all(root.join("elsewhere")).unwrap();
        for name in ["outside.toml", "pipelines/..one/a.toml", "elsewhere/b.toml", "pipelines/own.toml"] {
            fs::write(root.join(name), "").unwrap();
        }
        let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, root.join(at)).unwrap();
        link("..one", "pipelines/..data");
        link("..data/a.toml", "pipelines/a.toml");
        link("../outside.toml", "pipelines/out.toml");
        link("../missing.toml", "pipelines/dangling.toml");
        link("elsewhere", "mesh");
        let found = |name: &str| leads_out(root, name);
        assert!(found("pipelines/out.toml"));
        for name in ["a", "own", "new", "dangling"] {
            assert!(!found(&format!("pipelines/{name}.toml")), "{name}");
        }
        assert!(!found("mesh/b.toml"), "a directory of a kind may be a link");
    }

    #[test]
    fn links_to_other_files_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("pipelines")).unwrap();
        for name in ["config.toml", "pipelines/a.toml"] {
            fs::write(root.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink(root.join("config.toml"), root.join("pipelines/b.toml")).unwrap();
        std::os::unix::fs::symlink("a.toml", root.join("pipelines/c.toml")).unwrap();
        let all = ["config.toml", "pipelines/a.toml", "pipelines/b.toml", "pipelines/c.toml"];
        let same = |name| same_file(root, name, "config.toml", all.into_iter());
        assert_eq!(same("pipelines/b.toml"), Some("config.toml"));
        assert_eq!(same("pipelines/c.toml"), Some("pipelines/a.toml"));
        assert_eq!(["pipelines/a.toml", "pipelines/new.toml"].map(same), [None, None]);
        fs::hard_link(root.join("config.toml"), root.join("pipelines/d.toml")).unwrap();
        assert_eq!(same("pipelines/d.toml"), Some("config.toml"));
    }
}
