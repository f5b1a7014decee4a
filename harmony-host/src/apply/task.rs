//! The apply task: handles edits, polls, reloads and changes one at a time.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use crate::apply::watch::{Notice, Watch, WatchSet, is_named_as_document};
use crate::apply::{Applier, Command, Trigger, Verdict};
use crate::documents::layers::Layers;
use crate::documents::{Documents, Touched};
use crate::history::Cause;

/// Runs the apply task until it receives [`Command::Stop`] or all senders are dropped.
pub(crate) async fn run(mut applier: Applier, mut inbox: mpsc::Receiver<Command>) {
    let mut watch = Watch::start();
    watch.update(watch_set(applier.documents(), applier.layers()));
    loop {
        applier.activator.pulse.beat();
        let (touched, trigger, cause, reply) = tokio::select! {
            biased;
            command = inbox.recv() => match command {
                Some(Command::Reload(by, reply)) => {
                    (Touched::Everything, Trigger::Requested, Cause::Reload { by }, Some(reply))
                }
                Some(Command::Changes(changes, verdicts)) => {
                    applier.apply_changes(changes, &verdicts).await;
                    watch.update(watch_set(applier.documents(), applier.layers()));
                    continue;
                }
                Some(Command::RollBack(request, reply)) => {
                    let report = applier.roll_back(request).await;
                    watch.update(watch_set(applier.documents(), applier.layers()));
                    let _ = reply.send(report);
                    continue;
                }
                Some(Command::Edit(edit, by, reply)) => {
                    let written = applier.edit_config(edit, by).await;
                    watch.update(watch_set(applier.documents(), applier.layers()));
                    let _ = reply.send(written);
                    continue;
                }
                Some(Command::Foresee(asked, reply)) => {
                    // Beside the task: an edit does not wait for it.
                    let foresight = applier.foresight();
                    tokio::spawn(async move { reply.send(foresight.answer(asked).await) });
                    continue;
                }
                // The next turn of the loop is the answer.
                Some(Command::Ping) => continue,
                Some(Command::Stop(reply)) => {
                    let _ = reply.send(());
                    return;
                }
                None => return,
            },
            notice = watch.next() => match notice {
                Notice::Edited(touched) => (touched, Trigger::Edit, Cause::Edit, None),
                Notice::Poll => (Touched::Everything, Trigger::Poll, Cause::Edit, None),
                Notice::Unrelated => continue,
            },
        };
        let verdict = applier.apply(touched, trigger, cause).await;
        watch.update(watch_set(applier.documents(), applier.layers()));
        watch.retry_soon(matches!(&verdict, Verdict::Rejected(rejection) if rejection.is_retryable()));
        if let Some(reply) = reply {
            let _ = reply.send(verdict);
        }
    }
}

/// Returns the files and directories to watch for a configuration.
fn watch_set(documents: &Documents, layers: &Layers) -> WatchSet {
    let root = layers.root().to_owned();
    let mut files = HashSet::new();
    let mut directories: HashSet<PathBuf> = HashSet::new();
    let mut last = None;
    for (name, _) in documents.files() {
        // Others are of the configuration by their names.
        if !is_named_as_document(Path::new(name)) {
            files.insert(root.join(name));
        }
        let parent = Path::new(name).parent();
        if last != Some(parent) {
            directories.extend(root.join(name).parent().map(Path::to_owned));
            last = Some(parent);
        }
    }
    if let Some(gateway) = documents.gateway() {
        let proxy = &gateway.proxy;
        for directory in [&proxy.pipelines_path, &proxy.mesh_path, &proxy.transforms_path] {
            directories.insert(root.join(&directory.path));
        }
    }
    directories.insert(root);
    let (more_directories, more_files) = layers.watched();
    directories.extend(more_directories);
    files.extend(more_files);
    WatchSet { directories, files }
}
