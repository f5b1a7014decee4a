//! The check that the directories of the configuration are different directories on disk.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::config::Directory;
use crate::diagnostics::problem::Problems;

/// Checks that the directories differ from each other and from the directory of config.toml.
///
/// A change may write to the directory of its kind. If that were also the directory of config.toml, a pipeline named
/// `config` would replace the gateway's settings, such as the URL that credentials are sent to. If two kinds shared a
/// directory, a change of one kind could replace or remove files of the other.
pub(super) fn check(root: &Path, directories: &[(&'static str, Directory); 3], problems: &mut Problems) {
    let root = real(root);
    let mut others: Vec<(&str, PathBuf)> = Vec::new();
    for (key, directory) in directories {
        let path = real(&root.join(&directory.path));
        let place = directory.configured.as_ref().map(|at| &at.place);
        if path == root {
            problems
                .error(place, format!("proxy.{key}"), "this is the directory of config.toml")
                .help("give these files a directory of their own");
        } else if let Some((other, _)) = others.iter().find(|(_, known)| *known == path) {
            problems
                .error(place, format!("proxy.{key}"), format!("this is the directory of `{other}` too"))
                .help("give these files a directory of their own");
        }
        others.push((key, path));
    }
}

/// Returns the file in `others` that the symbolic link `name` leads to. All names are relative to `root`.
pub(crate) fn same_file<'n>(
    root: &Path,
    name: &str,
    mut others: impl Iterator<Item = &'n str>,
) -> Option<&'n str> {
    let path = root.join(name);
    let file = fs::canonicalize(&path).ok()?;
    // Only a symbolic link can lead to another file. Links as such are allowed: a Kubernetes mount consists of links.
    let linked = path.parent().is_none_or(|parent| file.parent() != Some(real(parent).as_path()))
        || file.file_name() != path.file_name();
    if !linked {
        return None;
    }
    others.find(|other| *other != name && fs::canonicalize(root.join(other)).is_ok_and(|other| other == file))
}

/// Returns the path without symbolic links, `.` and `..`. A part that does not exist is used as written.
pub(crate) fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut real = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                real.pop();
            }
            other => real.push(other),
        }
        // Resolves one component at a time, because `link/..` is the parent of the link's target.
        if let Ok(target) = fs::canonicalize(&real) {
            real = target;
        }
    }
    real
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
        check(root, &all, &mut problems);
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
        for shared in ["mesh", "./mesh/", "pipelines/../mesh", "mesh-link"] {
            let found = errors(&root, [shared, "mesh", "t"]);
            assert!(found[0].contains("the directory of `pipelines_path` too"), "{shared}: {found:?}");
        }
        assert_eq!(errors(&root, ["new", "x/../new", "new/."]).len(), 2, "also what does not exist yet");
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
        let same = |name| same_file(root, name, all.into_iter());
        assert_eq!(same("pipelines/b.toml"), Some("config.toml"));
        assert_eq!(same("pipelines/c.toml"), Some("pipelines/a.toml"));
        assert_eq!(["pipelines/a.toml", "pipelines/new.toml"].map(same), [None, None]);
    }
}
