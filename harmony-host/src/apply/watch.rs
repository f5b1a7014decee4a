//! The watch for edits: events from the operating system, and polling for edits without events.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use provider_api::DisplayDuration;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::documents::Touched;

/// The time to wait for more events after a write, which may not be complete.
const WRITE_DEBOUNCE: Duration = Duration::from_millis(50);

/// The time to wait for more events after a complete edit, such as a rename or a close. An edit may change several
/// files.
const COMPLETE_DEBOUNCE: Duration = Duration::from_millis(1);

/// The limit of all waiting for more events. A steady stream of events must not delay an edit forever.
const MAX_DEBOUNCE: Duration = Duration::from_millis(500);

/// The interval at which all files are read while the operating system sends events.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The interval at which all files are read without events, or while a rejected configuration is retried.
const FAST_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The watch of the directories of a configuration.
#[derive(Debug)]
pub(crate) struct Watch {
    watcher: Option<RecommendedWatcher>,
    events: mpsc::UnboundedReceiver<Edit>,
    watched: HashSet<PathBuf>,
    watch_set: WatchSet,
    next_poll: Instant,
    /// Set if a rejected configuration may become valid without an edit.
    retry_soon: bool,
}

/// The paths that belong to the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct WatchSet {
    /// The directories of the files, including those that do not exist yet.
    pub(crate) directories: HashSet<PathBuf>,
    /// The files that were read last and do not belong to the configuration by their names.
    pub(crate) files: HashSet<PathBuf>,
}

/// The result of waiting for an edit.
#[derive(Debug)]
pub(crate) enum Notice {
    /// Files were edited.
    Edited(Touched),
    /// The poll interval passed without an event.
    Poll,
    /// The events are about files outside of the configuration.
    Unrelated,
}

/// An edit of some paths. Without paths, all files may be edited.
#[derive(Debug)]
struct Edit {
    paths: Vec<PathBuf>,
    complete: bool,
}

impl Watch {
    /// Starts the watch. Without events from the operating system, logs a warning and only polls.
    pub(crate) fn start() -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if let Some(edit) = interpret(event) {
                let _ = sender.send(edit);
            }
        });
        let watcher = watcher
            .inspect_err(|error| {
                let interval = DisplayDuration(FAST_POLL_INTERVAL);
                tracing::warn!(%error, "the system sends no file events; the files are read every {interval}");
            })
            .ok();
        Self {
            watcher,
            events,
            watched: HashSet::new(),
            watch_set: WatchSet::default(),
            next_poll: Instant::now() + FAST_POLL_INTERVAL,
            retry_soon: false,
        }
    }

    /// Replaces the watched directories. A directory that does not exist yet is watched once it does.
    pub(crate) fn update(&mut self, watch_set: WatchSet) {
        self.watch_set = watch_set;
        let wanted = &self.watch_set.directories;
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.watched.difference(wanted) {
            let _ = watcher.unwatch(gone);
        }
        self.watched.retain(|directory| wanted.contains(directory));
        for directory in wanted {
            // Watching twice is harmless, and a directory that was removed and created again needs it.
            if watcher.watch(directory, RecursiveMode::NonRecursive).is_ok() {
                self.watched.insert(directory.clone());
            } else {
                self.watched.remove(directory);
            }
        }
    }

    /// Polls more often while a rejected configuration may become valid without an edit, such as when an address is
    /// freed.
    pub(crate) fn retry_soon(&mut self, retry_soon: bool) {
        self.retry_soon = retry_soon;
    }

    /// Waits for an edit or the next poll. Cancel safe: the next poll catches an edit whose event is lost.
    pub(crate) async fn next(&mut self) -> Notice {
        let pause =
            if self.retry_soon || self.watcher.is_none() { FAST_POLL_INTERVAL } else { POLL_INTERVAL };
        self.next_poll = self.next_poll.min(Instant::now() + pause);
        let first = tokio::select! {
            edit = self.events.recv() => edit,
            () = tokio::time::sleep_until(self.next_poll) => None,
        };
        self.next_poll = Instant::now() + pause;
        let Some(first) = first else { return Notice::Poll };
        let start = Instant::now();
        let wait = |complete| Instant::now() + if complete { COMPLETE_DEBOUNCE } else { WRITE_DEBOUNCE };
        let mut touched = self.watch_set.touched(first.paths);
        let mut until = wait(first.complete);
        while let Ok(Some(edit)) =
            tokio::time::timeout_at(until.min(start + MAX_DEBOUNCE), self.events.recv()).await
        {
            if let Some(more) = self.watch_set.touched(edit.paths) {
                touched = Some(touched.map_or(more.clone(), |touched| join(touched, more)));
                until = wait(edit.complete);
            }
        }
        // Events about other files, such as a log, must not trigger a read.
        touched.map_or(Notice::Unrelated, Notice::Edited)
    }
}

impl WatchSet {
    /// Returns the files to read again; `None` if no path belongs to the configuration.
    fn touched(&self, paths: Vec<PathBuf>) -> Option<Touched> {
        if paths.is_empty() {
            return Some(Touched::Everything);
        }
        let mut files = HashSet::new();
        for path in paths {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            // A directory stands for many files. So does `..data`: Kubernetes replaces this link to update a whole
            // mount.
            if self.directories.contains(&path) || name.starts_with("..") {
                return Some(Touched::Everything);
            }
            if is_named_as_document(&path) || self.files.contains(&path) {
                files.insert(path);
            }
        }
        (!files.is_empty()).then_some(Touched::Files(files))
    }
}

/// Returns whether a file in a directory of the configuration belongs to it by its name.
pub(super) fn is_named_as_document(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !is_hidden && path.extension().is_some_and(|extension| extension == "toml" || extension == "json")
}

/// Returns the union of two edits.
fn join(a: Touched, b: Touched) -> Touched {
    match (a, b) {
        (Touched::Files(mut a), Touched::Files(b)) => {
            a.extend(b);
            Touched::Files(a)
        }
        _ => Touched::Everything,
    }
}

/// Converts an event to an edit; `None` if the event only reports a read.
fn interpret(event: notify::Result<Event>) -> Option<Edit> {
    let event = match event {
        Ok(event) if !event.need_rescan() => event,
        _ => return Some(Edit { paths: Vec::new(), complete: true }),
    };
    let complete = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => return None,
        EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_) => true,
        // A link is complete once it is created; a file is still to be written.
        EventKind::Create(CreateKind::File) | EventKind::Modify(_) => false,
        _ => true,
    };
    Some(Edit { paths: event.paths, complete })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(path: &str) -> Option<Touched> {
        let watch_set = WatchSet {
            directories: HashSet::from([PathBuf::from("/c"), PathBuf::from("/c/pipelines")]),
            files: HashSet::from([PathBuf::from("/c/key.pem")]),
        };
        watch_set.touched(vec![PathBuf::from(path)])
    }

    #[test]
    fn directories_and_links_stand_for_all_files() {
        for file in ["/c/pipelines/a.toml", "/c/transforms/t.json", "/c/key.pem"] {
            assert!(matches!(touched(file), Some(Touched::Files(_))), "{file}");
        }
        for many in ["/c/..data", "/c/pipelines"] {
            assert!(matches!(touched(many), Some(Touched::Everything)), "{many}");
        }
    }

    #[test]
    fn other_files_are_ignored() {
        for other in ["/c/gateway.log", "/c/.a.toml.swp", "/c/.hidden.toml", "/c/pipelines/a.toml.tmp"] {
            assert!(touched(other).is_none(), "{other}");
        }
    }

    /// A read is not an edit, and a write is complete only once the file is closed.
    #[test]
    fn only_close_completes_a_write() {
        let event = |kind| interpret(Ok(Event::new(kind).add_path(PathBuf::from("/c/a.toml"))));
        assert!(event(EventKind::Access(AccessKind::Open(AccessMode::Read))).is_none());
        let write = EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any));
        assert!(!event(write).unwrap().complete);
        assert!(event(EventKind::Access(AccessKind::Close(AccessMode::Write))).unwrap().complete);
    }
}
