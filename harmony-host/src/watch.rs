//! Notices edits: events from the operating system, and a slow look as a net for what no event tells.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::documents::Touched;

/// How long to wait after a write that may go on.
const QUIET: Duration = Duration::from_millis(50);

/// How long to wait after something that is complete, a rename or a close, for its siblings.
const SETTLED: Duration = Duration::from_millis(1);

/// The longest an edit waits, however much goes on around it.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often everything is looked at without an event.
const SLOW_LOOK: Duration = Duration::from_secs(2);

/// Watches the directories of a configuration.
#[derive(Debug)]
pub(crate) struct Watch {
    watcher: Option<RecommendedWatcher>,
    events: mpsc::UnboundedReceiver<Edit>,
    watched: HashSet<PathBuf>,
    look_at: Instant,
}

/// Why to look at the files.
#[derive(Debug)]
pub(crate) enum Notice {
    /// These were edited.
    Edited(Touched),
    /// Nothing is known to be edited; it is time to look.
    Time,
}

#[derive(Debug)]
struct Edit {
    touched: Touched,
    complete: bool,
}

impl Watch {
    /// Starts to watch. Without events from the operating system the slow look remains, and is said.
    pub(crate) fn start() -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if let Some(edit) = interpret(event) {
                let _ = sender.send(edit);
            }
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "no file events; edits are noticed every {} s", SLOW_LOOK.as_secs()))
            .ok();
        Self { watcher, events, watched: HashSet::new(), look_at: Instant::now() + SLOW_LOOK }
    }

    /// Watches exactly these directories. One that is not there is watched once it is.
    pub(crate) fn directories(&mut self, wanted: &HashSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.watched.difference(wanted) {
            let _ = watcher.unwatch(gone);
        }
        self.watched.retain(|directory| wanted.contains(directory));
        for directory in wanted {
            // Watching again is harmless, and picks up a directory that was removed and made anew.
            if watcher.watch(directory, RecursiveMode::NonRecursive).is_ok() {
                self.watched.insert(directory.clone());
            } else {
                self.watched.remove(directory);
            }
        }
    }

    /// Waits until there is a reason to look at the files. Cancel safe: an edit that was noticed and not
    /// returned is noticed by the slow look.
    pub(crate) async fn next(&mut self) -> Notice {
        let first = tokio::select! {
            edit = self.events.recv() => edit,
            () = tokio::time::sleep_until(self.look_at) => None,
        };
        self.look_at = Instant::now() + SLOW_LOOK;
        let Some(first) = first else { return Notice::Time };
        let mut touched = first.touched;
        let start = Instant::now();
        let wait = |complete| Instant::now() + if complete { SETTLED } else { QUIET };
        let mut until = wait(first.complete);
        while let Ok(Some(edit)) =
            tokio::time::timeout_at(until.min(start + PATIENCE), self.events.recv()).await
        {
            touched = join(touched, edit.touched);
            until = wait(edit.complete);
        }
        Notice::Edited(touched)
    }
}

fn join(a: Touched, b: Touched) -> Touched {
    match (a, b) {
        (Touched::Files(mut a), Touched::Files(b)) => {
            a.extend(b);
            Touched::Files(a)
        }
        _ => Touched::Everything,
    }
}

fn interpret(event: notify::Result<Event>) -> Option<Edit> {
    let everything = Some(Edit { touched: Touched::Everything, complete: true });
    let Ok(event) = event else { return everything };
    if event.need_rescan() {
        return everything;
    }
    let complete = match event.kind {
        // Our own reading.
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => return None,
        EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_) => true,
        // A link is complete when it is made; a file is going to be written.
        EventKind::Create(CreateKind::File) | EventKind::Modify(_) => false,
        _ => true,
    };
    // A file we read stands for itself. Anything else, a directory or the link through which Kubernetes
    // swaps a whole mount, may stand for many.
    if event.paths.is_empty() || !event.paths.iter().all(|path| is_plain(path)) {
        return Some(Edit { touched: Touched::Everything, complete });
    }
    let relevant: HashSet<PathBuf> = event.paths.into_iter().filter(|path| !is_hidden(path)).collect();
    (!relevant.is_empty()).then_some(Edit { touched: Touched::Files(relevant), complete })
}

fn is_plain(path: &Path) -> bool {
    let ours = path.extension().is_some_and(|e| e == "toml" || e == "json");
    (ours || is_hidden(path)) && !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(".."))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, path: &str) -> Option<Edit> {
        interpret(Ok(Event::new(kind).add_path(PathBuf::from(path))))
    }

    #[test]
    fn a_file_stands_for_itself_and_the_link_of_a_mount_for_everything() {
        let renamed = EventKind::Modify(ModifyKind::Name(notify::event::RenameMode::To));
        assert!(matches!(event(renamed, "/c/pipelines/a.toml").unwrap().touched, Touched::Files(_)));
        assert!(matches!(event(renamed, "/c/..data").unwrap().touched, Touched::Everything));
        assert!(matches!(event(renamed, "/c/pipelines").unwrap().touched, Touched::Everything));
        assert!(event(renamed, "/c/.a.toml.swp").is_none());
    }

    #[test]
    fn reading_is_no_edit_and_writing_in_place_may_go_on() {
        assert!(event(EventKind::Access(AccessKind::Open(AccessMode::Read)), "/c/a.toml").is_none());
        let write = EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any));
        assert!(!event(write, "/c/a.toml").unwrap().complete);
        assert!(
            event(EventKind::Access(AccessKind::Close(AccessMode::Write)), "/c/a.toml").unwrap().complete
        );
    }
}
