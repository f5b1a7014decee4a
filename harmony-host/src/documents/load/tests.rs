//! Reading of trees: what is shared, what is reported, and what is not forgotten.

use std::fs;

use super::*;

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "config.toml", "[proxy]\nid = \"a\"\npipelines_path = \"pipelines\"\n");
    write(dir.path(), "pipelines/one.toml", "[pipelines.one]\n");
    write(dir.path(), "pipelines/two.toml", "[pipelines.two]\n");
    write(dir.path(), "pipelines/.hidden.toml", "no toml at all");
    dir
}

#[test]
fn unchanged_files_are_shared() {
    let dir = tree();
    let config = dir.path().join("config.toml");
    let before = Documents::load(&Layers::base_only(&config), None, None, &Touched::Everything);
    assert!(!before.problems.refuse(), "{:?}", before.problems);
    write(dir.path(), "pipelines/one.toml", "[pipelines.uno]\n");
    let touched = Touched::Files(HashSet::from([dir.path().join("pipelines/one.toml")]));
    let after =
        Documents::load(&Layers::base_only(&config), Some(&before.documents), None, &touched).documents;
    assert_ne!(after.digest(), before.documents.digest());
    let same = |name: &str| Arc::ptr_eq(&after.files[name], &before.documents.files[name]);
    assert!(same("pipelines/two.toml") && same("config.toml") && !same("pipelines/one.toml"));
}

#[test]
fn a_vanished_directory_is_an_error() {
    let dir = tree();
    let config = dir.path().join("config.toml");
    let before = Documents::load(&Layers::base_only(&config), None, None, &Touched::Everything);
    fs::remove_dir_all(dir.path().join("pipelines")).unwrap();
    let after =
        Documents::load(&Layers::base_only(&config), None, Some(&before.documents), &Touched::Everything);
    assert!(after.problems.errors().any(|p| p.message.contains("no such directory")), "{:?}", after.problems);
}

#[test]
fn unreadable_files_are_reported() {
    let dir = tree();
    write(
        dir.path(),
        "mesh/m.toml",
        "[mesh.m]\nprovider = \"local\"\njwt_public_key_path = \"keys/pub.pem\"\n",
    );
    fs::write(dir.path().join("pipelines/bad.toml"), [0xff, 0xfe]).unwrap();
    let loaded = Documents::load(
        &Layers::base_only(&dir.path().join("config.toml")),
        None,
        None,
        &Touched::Everything,
    );
    let errors: Vec<String> = loaded.problems.errors().map(ToString::to_string).collect();
    assert!(errors.iter().any(|e| e.contains("pipelines/bad.toml") && e.contains("UTF-8")), "{errors:?}");
    assert!(errors.iter().any(|e| e.contains("mesh/m.toml:3") && e.contains("keys/pub.pem")), "{errors:?}");
}

/// A tree that a change was tried with has the served version of a file that cannot be read. An edit of another file must not
/// hide that.
#[test]
fn a_file_that_a_change_did_without_is_read_with_the_next_edit() {
    let dir = tree();
    let layers = Layers::base_only(&dir.path().join("config.toml"));
    let served = Documents::load(&layers, None, None, &Touched::Everything).documents;
    fs::write(dir.path().join("pipelines/two.toml"), [0xff]).unwrap();
    let isolated = Documents::load_isolated(&layers, Some(&served), Some(&served), None);
    assert!(!isolated.problems.refuse(), "{:?}", isolated.problems);
    write(dir.path(), "pipelines/one.toml", "[pipelines.uno]\n");
    let touched = Touched::Files(HashSet::from([dir.path().join("pipelines/one.toml")]));
    let edited = Documents::load(&layers, Some(&isolated.documents), Some(&served), &touched);
    let errors: Vec<String> = edited.problems.errors().map(ToString::to_string).collect();
    assert!(errors.iter().any(|error| error.contains("pipelines/two.toml")), "{errors:?}");
}

/// A gateway that started with a saved configuration has not read the files on the disk. An edit of one of them must not make
/// the others count as read.
#[test]
fn the_files_of_a_saved_configuration_are_not_those_on_the_disk() {
    let dir = tree();
    let layers = Layers::base_only(&dir.path().join("config.toml"));
    let good = Documents::load(&layers, None, None, &Touched::Everything).documents;
    let texts = good.texts().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    let saved = Documents::from_saved(layers.config_path(), &texts).documents;
    fs::write(dir.path().join("pipelines/two.toml"), [0xff]).unwrap();
    write(dir.path(), "pipelines/one.toml", "[pipelines.uno]\n");
    let touched = Touched::Files(HashSet::from([dir.path().join("pipelines/one.toml")]));
    let edited = Documents::load(&layers, Some(&saved), Some(&saved), &touched);
    let errors: Vec<String> = edited.problems.errors().map(ToString::to_string).collect();
    assert!(errors.iter().any(|error| error.contains("pipelines/two.toml")), "{errors:?}");
}

/// The warning about a secret that others can read follows the edits of one file, whatever the others hold.
#[test]
fn warnings_about_secrets_follow_the_edits() {
    let dir = tree();
    let layers = Layers::base_only(&dir.path().join("config.toml"));
    let mut read = Documents::load(&layers, None, None, &Touched::Everything).documents;
    for (text, is_secret) in [
        ("[targets.t.options]\napi_key = \"k\"\n", true),
        ("[pipelines.one]\n", false),
        ("[targets.t.options]\npassword = \"p\"\n", true),
    ] {
        write(dir.path(), "pipelines/one.toml", text);
        let touched = Touched::Files(HashSet::from([dir.path().join("pipelines/one.toml")]));
        let loaded = Documents::load(&layers, Some(&read), None, &touched);
        let warned = loaded.problems.warnings().any(|warning| warning.message.contains("holds a secret"));
        assert_eq!(warned, is_secret, "{text}");
        read = loaded.documents;
    }
}
