//! The candidate that a change makes of the files.

use std::path::PathBuf;
use std::sync::Arc;

use provider_api::{Change, RejectionClass};

use crate::apply::proposal;
use crate::diagnostics::rejection::Rejection;
use crate::documents::edits::Edits;
use crate::documents::{Documents, Loaded, Touched};
use crate::journal::{Attempt, Target};
use crate::providers::Surroundings;
use crate::snapshot::Snapshot;
use crate::storage::digest::{Digest, full};

/// What a change makes of the files.
pub(super) enum Built {
    /// It is what is served already, in these files.
    Same(Vec<Target>),
    /// It makes this; `files` is what the proposal was made against.
    New { files: Arc<Documents>, snapshot: Box<Snapshot>, edits: Edits },
    /// It is wrong; with what is known of this try, when it may be right beside another configuration.
    Rejected(Rejection, Option<Attempt>),
    /// A file it would write is not what it was when the change was rejected.
    Superseded,
    /// The files are wrong without it.
    Deferred(String),
}

/// Reads the files as they are now, and builds what they would be with the change.
pub(super) async fn build(
    config_path: PathBuf,
    surroundings: Surroundings,
    read: Arc<Documents>,
    served: Arc<Snapshot>,
    change: Arc<Change>,
    expected: &[Target],
) -> Built {
    let alone = Alone { config_path, surroundings, served, expected: Arc::from(expected) };
    let work = {
        let alone = alone.clone();
        move || alone.with(&read, &change)
    };
    let built = match tokio::task::spawn_blocking(work).await {
        Ok(built) => built,
        Err(_) => {
            let message = "a provider panicked while it was built";
            Built::Rejected(Rejection::of(RejectionClass::Build, "provider", message), None)
        }
    };
    let Built::New { files, mut snapshot, edits } = built else { return built };
    match snapshot.check_local_references().await {
        Ok(()) => Built::New { files, snapshot, edits },
        Err(rejection) => alone.blame(rejection, &files, Some(&edits)),
    }
}

/// The files that are proposed, and what they hold now.
pub(super) fn targets(files: &Documents, edits: &Edits) -> Vec<Target> {
    let digest_of = |name: &str| files.text(name).map(|text| full(Digest::of(text.as_bytes())));
    edits.iter().map(|(name, _)| Target { name: name.to_owned(), digest: digest_of(name) }).collect()
}

/// The files that say already what is proposed.
pub(super) fn same(files: &Documents, edits: &Edits) -> Vec<Target> {
    let digest_of = |name: &str| files.text(name).map(|text| full(Digest::of(text.as_bytes())));
    edits.same().map(|name| Target { name: name.to_owned(), digest: digest_of(name) }).collect()
}

#[derive(Clone)]
struct Alone {
    config_path: PathBuf,
    surroundings: Surroundings,
    served: Arc<Snapshot>,
    expected: Arc<[Target]>,
}

impl Alone {
    fn with(&self, read: &Arc<Documents>, change: &Change) -> Built {
        let (path, served) = (&self.config_path, &self.served);
        let vanish = Some(&*served.documents);
        let Loaded { documents, problems } = Documents::load(path, Some(read), vanish, &Touched::Everything);
        let files = Arc::new(documents);
        let edits = match proposal::edits(change, &files, &self.surroundings.registry) {
            Ok(edits) => edits,
            Err(rejection) if problems.refuse() => return self.blame(rejection, &files, None),
            // Wrong in itself: no other configuration makes it right.
            Err(rejection) => return Built::Rejected(rejection, None),
        };
        let superseded = !edits.is_empty() && !self.expected.is_empty();
        if superseded && targets(&files, &edits) != *self.expected {
            return Built::Superseded;
        }
        let served_already = files.digest() == served.documents.digest();
        if edits.is_empty() && served_already && !problems.refuse() {
            return Built::Same(same(&files, &edits));
        }
        let loaded = Documents::load_with(path, Some(&files), vanish, &Touched::Everything, Some(&edits));
        let documents = Arc::new(loaded.documents);
        let generation = served.generation + 1;
        let built = Snapshot::build(documents, loaded.problems, generation, &self.surroundings, Some(served));
        match built {
            Ok(snapshot) => Built::New { files, snapshot: Box::new(snapshot), edits },
            Err(rejection) => self.blame(rejection, &files, Some(&edits)),
        }
    }

    /// Whether a rejection is the change's fault: only when the files are good without it.
    fn blame(&self, rejection: Rejection, files: &Arc<Documents>, edits: Option<&Edits>) -> Built {
        let against = self.served.documents.digest();
        let attempt = edits.map(|edits| Attempt::new(rejection.class, full(against), targets(files, edits)));
        if files.digest() == against {
            return Built::Rejected(rejection, attempt);
        }
        let Loaded { documents, problems } = Documents::load(
            &self.config_path,
            Some(files),
            Some(&self.served.documents),
            &Touched::Everything,
        );
        let alone = Snapshot::build(Arc::new(documents), problems, 0, &self.surroundings, Some(&self.served));
        match alone {
            Ok(_) => Built::Rejected(rejection, attempt),
            Err(own) => {
                let first = own.first();
                Built::Deferred(format!("the files of this gateway are wrong without it: {first}"))
            }
        }
    }
}
