//! Notices edits: events from the operating system, and a slow look as a net for what no event tells.

use std::collections::HashSet;
use std::path::PathBuf;
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

/// How often everything is looked at without an event, while events come.
const SLOW_LOOK: Duration = Duration::from_secs(5);

/// How often everything is looked at when no events come, or when what was rejected may fare better.
const BUSY_LOOK: Duration = Duration::from_secs(1);

/// Watches the directories of a configuration.
#[derive(Debug)]
pub(crate) struct Watch {
    watcher: Option<RecommendedWatcher>,
    events: mpsc::UnboundedReceiver<Edit>,
    watched: HashSet<PathBuf>,
    interest: Interest,
    look_at: Instant,
    /// Whether what is not served now may be served without an edit.
    retry_soon: bool,
}

/// What of all that happens in the watched directories is about the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interest {
    /// Where the files are, those directories that are not there yet included.
    pub(crate) directories: HashSet<PathBuf>,
    /// The files that were read last.
    pub(crate) files: HashSet<PathBuf>,
}

/// Why to look at the files.
#[derive(Debug)]
pub(crate) enum Notice {
    /// These were edited.
    Edited(Touched),
    /// Nothing is known to be edited; it is time to look.
    Time,
    /// Something happened that is not about the configuration.
    Nothing,
}

/// What happened to some paths; everything when there are none.
#[derive(Debug)]
struct Edit {
    paths: Vec<PathBuf>,
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
            .inspect_err(|error| tracing::warn!(%error, "no file events; edits are noticed every {} s", BUSY_LOOK.as_secs()))
            .ok();
        Self {
            watcher,
            events,
            watched: HashSet::new(),
            interest: Interest::default(),
            look_at: Instant::now() + BUSY_LOOK,
            retry_soon: false,
        }
    }

    /// Watches exactly these directories. One that is not there is watched once it is.
    pub(crate) fn interest(&mut self, interest: Interest) {
        self.interest = interest;
        let wanted = &self.interest.directories;
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

    /// Looks more often as long as what was rejected may fare better without an edit: an address may become free.
    pub(crate) fn retry_soon(&mut self, retry_soon: bool) {
        self.retry_soon = retry_soon;
    }

    /// Waits until there is a reason to look at the files. Cancel safe: an edit that was noticed and not
    /// returned is noticed by the slow look.
    pub(crate) async fn next(&mut self) -> Notice {
        let pause = if self.retry_soon || self.watcher.is_none() { BUSY_LOOK } else { SLOW_LOOK };
        self.look_at = self.look_at.min(Instant::now() + pause);
        let first = tokio::select! {
            edit = self.events.recv() => edit,
            () = tokio::time::sleep_until(self.look_at) => None,
        };
        self.look_at = Instant::now() + pause;
        let Some(first) = first else { return Notice::Time };
        let start = Instant::now();
        let wait = |complete| Instant::now() + if complete { SETTLED } else { QUIET };
        let mut touched = self.interest.touched(first.paths);
        let mut until = wait(first.complete);
        while let Ok(Some(edit)) =
            tokio::time::timeout_at(until.min(start + PATIENCE), self.events.recv()).await
        {
            if let Some(more) = self.interest.touched(edit.paths) {
                touched = Some(touched.map_or(more.clone(), |touched| join(touched, more)));
                until = wait(edit.complete);
            }
        }
        // Somebody else's file, such as a log: nothing to look at, and no reason not to wait on.
        touched.map_or(Notice::Nothing, Notice::Edited)
    }
}

impl Interest {
    /// What has to be read again; `None` when that is nothing of ours.
    fn touched(&self, paths: Vec<PathBuf>) -> Option<Touched> {
        if paths.is_empty() {
            return Some(Touched::Everything);
        }
        let mut files = HashSet::new();
        for path in paths {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            // A directory, or the link through which Kubernetes swaps a whole mount, stands for many files.
            if self.directories.contains(&path) || name.starts_with("..") {
                return Some(Touched::Everything);
            }
            let ours = path.extension().is_some_and(|e| e == "toml" || e == "json") && !name.starts_with('.');
            if ours || self.files.contains(&path) {
                files.insert(path);
            }
        }
        (!files.is_empty()).then_some(Touched::Files(files))
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

/// What an event says, unless it only says that somebody reads.
fn interpret(event: notify::Result<Event>) -> Option<Edit> {
    let event = match event {
        Ok(event) if !event.need_rescan() => event,
        _ => return Some(Edit { paths: Vec::new(), complete: true }),
    };
    let complete = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => return None,
        EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_) => true,
        // A link is complete when it is made; a file is going to be written.
        EventKind::Create(CreateKind::File) | EventKind::Modify(_) => false,
        _ => true,
    };
    Some(Edit { paths: event.paths, complete })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(path: &str) -> Option<Touched> {
        let interest = Interest {
            directories: HashSet::from([PathBuf::from("/c"), PathBuf::from("/c/pipelines")]),
            files: HashSet::from([PathBuf::from("/c/key.pem")]),
        };
        interest.touched(vec![PathBuf::from(path)])
    }

    #[test]
    fn a_file_stands_for_itself_and_the_link_of_a_mount_for_everything() {
        for file in ["/c/pipelines/a.toml", "/c/transforms/t.json", "/c/key.pem"] {
            assert!(matches!(touched(file), Some(Touched::Files(_))), "{file}");
        }
        for many in ["/c/..data", "/c/pipelines"] {
            assert!(matches!(touched(many), Some(Touched::Everything)), "{many}");
        }
    }

    #[test]
    fn somebody_elses_files_are_none_of_ours() {
        for other in ["/c/gateway.log", "/c/.a.toml.swp", "/c/.hidden.toml", "/c/pipelines/a.toml.tmp"] {
            assert!(touched(other).is_none(), "{other}");
        }
    }

    #[test]
    fn reading_is_no_edit_and_writing_in_place_may_go_on() {
        let event = |kind| interpret(Ok(Event::new(kind).add_path(PathBuf::from("/c/a.toml"))));
        assert!(event(EventKind::Access(AccessKind::Open(AccessMode::Read))).is_none());
        let write = EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any));
        assert!(!event(write).unwrap().complete);
        assert!(event(EventKind::Access(AccessKind::Close(AccessMode::Write))).unwrap().complete);
    }
}
