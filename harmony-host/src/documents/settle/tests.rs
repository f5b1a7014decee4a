//! Tests of the layers and of settling the overlay.

use super::*;
use crate::documents::Touched;
use crate::documents::edits::Edits;
use crate::documents::overlay::Write;

struct World(tempfile::TempDir);

impl World {
    fn new(base: &[(&str, &str)]) -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        world.write("config.toml", "[proxy]\nid = \"a\"\n");
        base.iter().for_each(|(name, text)| world.write(name, text));
        world
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("config/config.toml")
    }

    fn layers(&self) -> Layers {
        Layers::open(&self.0.path().join("state"), &self.config())
    }

    fn origins(&self) -> std::sync::Arc<Origins> {
        Origins::open(&self.0.path().join("state"), &self.config())
    }

    /// Writes a file of the base.
    fn write(&self, name: &str, text: &str) {
        write(&self.config().with_file_name(name), text);
    }

    /// Writes a file of the overlay, as a change does.
    fn overlay(&self, name: &str, text: &str) {
        let layers = self.layers();
        let digest = full(Digest::of(text.as_bytes()));
        let (change, kind) = ("01A".to_owned(), "pipeline".to_owned());
        let at = Write { digest, change, kind, at: Timestamp::UNIX_EPOCH };
        layers.record([(name, layers.base_digest(name).unwrap(), at)].into_iter()).unwrap();
        write(&layers.overlay_path(name).unwrap(), text);
    }

    /// Returns what a fresh process reads.
    fn read(&self, name: &str) -> Option<String> {
        self.layers().current(name).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn settle(&self) -> Option<OverlayReport> {
        let layers = self.layers();
        layers.settle(&self.origins(), Timestamp::UNIX_EPOCH);
        layers.report()
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const NAME: &str = "pipelines/a.toml";

#[test]
fn newer_base_wins_and_the_overlay_is_saved() {
    for (before, after) in [(Some("one"), Some("two")), (None, Some("two")), (Some("one"), None)] {
        let world = World::new(&before.map(|text| (NAME, text)).into_iter().collect::<Vec<_>>());
        world.overlay(NAME, "changed");
        assert!(world.settle().is_some_and(|report| !report.entries[0].displaced));
        assert_eq!(world.read(NAME).as_deref(), Some("changed"));
        match after {
            Some(text) => world.write(NAME, text),
            None => fs::remove_file(world.config().with_file_name(NAME)).unwrap(),
        }
        assert_eq!(world.read(NAME).as_deref(), after, "before it is settled");
        let report = world.settle().unwrap();
        assert_eq!((world.read(NAME).as_deref(), report.entries.len()), (after, 0));
        let displaced = &report.displaced[0];
        assert_eq!((&*displaced.file, displaced.change.as_deref()), (NAME, Some("01A")));
        assert_eq!(fs::read_to_string(&displaced.copy).unwrap(), "changed");
        // A base that returns brings back nothing.
        if let Some(text) = before {
            world.write(NAME, text);
            assert_eq!(world.read(NAME).as_deref(), Some(text));
        }
    }
}

#[test]
fn removed_and_added_files_are_edits() {
    let world = World::new(&[(NAME, "one")]);
    world.overlay(NAME, "changed");
    let path = world.layers().overlay_path(NAME).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(world.settle().is_none());
    assert_eq!(world.read(NAME).as_deref(), Some("one"));
    // Without a record the base of a new file is the one that is there when it is settled.
    write(&path, "by hand");
    assert_eq!(world.read(NAME).as_deref(), Some("by hand"));
    assert_eq!(world.settle().unwrap().entries[0].change, None);
    world.write(NAME, "two");
    assert_eq!(world.read(NAME).as_deref(), Some("two"));
}

/// A record that was written before a kill, without its file, means nothing.
#[test]
fn record_without_its_file_means_nothing() {
    let world = World::new(&[(NAME, "one")]);
    world.overlay(NAME, "changed");
    fs::remove_file(world.layers().overlay_path(NAME).unwrap()).unwrap();
    world.write(NAME, "two");
    world.overlay(NAME, "changed again");
    assert_eq!(world.read(NAME).as_deref(), Some("changed again"));
    world.write(NAME, "one");
    assert_eq!(world.read(NAME).as_deref(), Some("one"));
}

#[test]
fn files_of_both_layers_are_one_tree() {
    let world = World::new(&[(NAME, "[pipelines.a]\n"), ("pipelines/b.toml", "[pipelines.b]\n")]);
    world.overlay("pipelines/b.toml", "[pipelines.b]\ndescription = \"x\"\n");
    world.overlay("pipelines/c.toml", "[pipelines.c]\n");
    let load =
        |served: Option<&Documents>| Documents::load(&world.layers(), None, served, &Touched::Everything);
    let loaded = load(None);
    assert!(!loaded.problems.refuse(), "{:?}", loaded.problems);
    let overlaid = |name: &str| loaded.documents.overlay(name).is_some();
    let names: Vec<(&str, bool)> = loaded.documents.files().map(|(name, _)| (name, overlaid(name))).collect();
    let expected =
        [("config.toml", false), (NAME, false), ("pipelines/b.toml", true), ("pipelines/c.toml", true)];
    assert_eq!(names, expected);
    // The base of one file is lost with the directory, and that may be a mistake.
    fs::remove_dir_all(world.config().with_file_name("pipelines")).unwrap();
    assert!(load(Some(&loaded.documents)).problems.refuse());
    // A directory of which every file is in the overlay alone is no loss.
    let world = World::new(&[]);
    world.overlay("pipelines/c.toml", "[pipelines.c]\n");
    let load =
        |served: Option<&Documents>| Documents::load(&world.layers(), None, served, &Touched::Everything);
    let served = load(None).documents;
    fs::remove_file(world.layers().overlay_path("pipelines/c.toml").unwrap()).unwrap();
    let after = load(Some(&served));
    assert!(!after.problems.refuse() && after.documents.files().count() == 1, "{:?}", after.problems);
}

#[test]
fn writable_base_is_written_unless_the_overlay_has_the_file() {
    let world = World::new(&[(NAME, "one")]);
    world.overlay(NAME, "changed");
    let mut edits = Edits::default();
    for name in [NAME, "pipelines/new.toml", "../outside.toml"] {
        edits.insert(name, "text");
    }
    world.layers().place(&mut edits);
    let overlaid: Vec<&str> =
        edits.iter().map(|(name, _)| name).filter(|name| edits.is_overlaid(name)).collect();
    assert_eq!(overlaid, [NAME]);
}
