use std::path::PathBuf;
use std::sync::Arc;

use provider_api::{Change, RejectionClass};

use crate::apply::refusal;
use crate::documents::{Documents, Loaded, Touched};
use crate::edits::Edits;
use crate::proposal;
use crate::providers::Surroundings;
use crate::snapshot::{Refusal, Snapshot};

/// What a change makes of the files.
pub(super) enum Built {
    /// It is what is served already.
    Same,
    /// It makes this; `files` is what the proposal was made against.
    New { files: Arc<Documents>, snapshot: Box<Snapshot>, edits: Edits },
    /// It is wrong.
    Rejected(Refusal),
    /// The files are wrong without it.
    Held(String),
}

/// Reads the files as they are now, and builds what they would be with the change.
pub(super) async fn build(
    config_path: PathBuf,
    surroundings: Surroundings,
    read: Arc<Documents>,
    served: Arc<Snapshot>,
    change: Arc<Change>,
) -> Built {
    let alone = Alone { config_path, surroundings, served };
    let work = {
        let alone = alone.clone();
        move || alone.with(&read, &change)
    };
    let built = match tokio::task::spawn_blocking(work).await {
        Ok(built) => built,
        Err(_) => {
            let message = "a provider panicked while it was built";
            Built::Rejected(refusal(RejectionClass::Build, "provider", message))
        }
    };
    let Built::New { files, mut snapshot, edits } = built else { return built };
    match snapshot.check_local_references().await {
        Ok(()) => Built::New { files, snapshot, edits },
        Err(refusal) => alone.blame(refusal, &files),
    }
}

#[derive(Clone)]
struct Alone {
    config_path: PathBuf,
    surroundings: Surroundings,
    served: Arc<Snapshot>,
}

impl Alone {
    fn with(&self, read: &Arc<Documents>, change: &Change) -> Built {
        let (path, served) = (&self.config_path, &self.served);
        let vanish = Some(&*served.documents);
        let Loaded { documents, problems } = Documents::load(path, Some(read), vanish, &Touched::Everything);
        let files = Arc::new(documents);
        let edits = match proposal::edits(change, &files) {
            Ok(edits) => edits,
            Err(refusal) if problems.refuse() => return self.blame(refusal, &files),
            Err(refusal) => return Built::Rejected(refusal),
        };
        let same = files.digest() == served.documents.digest();
        if edits.is_empty() && same && !problems.refuse() {
            return Built::Same;
        }
        let loaded = Documents::load_with(path, Some(&files), vanish, &Touched::Everything, Some(&edits));
        let documents = Arc::new(loaded.documents);
        let generation = served.generation + 1;
        let built = Snapshot::build(documents, loaded.problems, generation, &self.surroundings, Some(served));
        match built {
            Ok(snapshot) => Built::New { files, snapshot: Box::new(snapshot), edits },
            Err(refusal) => self.blame(refusal, &files),
        }
    }

    /// Whether a refusal is the change's fault: only when the files are good without it.
    fn blame(&self, refusal: Refusal, files: &Arc<Documents>) -> Built {
        if files.digest() == self.served.documents.digest() {
            return Built::Rejected(refusal);
        }
        let Loaded { documents, problems } = Documents::load(
            &self.config_path,
            Some(files),
            Some(&self.served.documents),
            &Touched::Everything,
        );
        let alone = Snapshot::build(Arc::new(documents), problems, 0, &self.surroundings, Some(&self.served));
        match alone {
            Ok(_) => Built::Rejected(refusal),
            Err(own) => {
                let first = own.problems.sorted_errors().first().map(ToString::to_string).unwrap_or_default();
                Built::Held(format!("the files of this gateway are wrong without it: {first}"))
            }
        }
    }
}
