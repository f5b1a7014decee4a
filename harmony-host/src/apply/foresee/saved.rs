//! Foreseeing the start of a gateway: the files, compared with the configuration that was live last.

use std::path::Path;
use std::sync::Arc;

use crate::apply::build::{Built, build};
use crate::apply::foresee::foreseen::{Against, Foreseen};
use crate::apply::start::build_saved;
use crate::difference::Differences;
use crate::documents::Touched;
use crate::documents::layers::Layers;
use crate::last_good;
use crate::providers::Surroundings;
use crate::snapshot::Snapshot;

/// Predicts the result of a start on the files of `config_path`. Takes no lock and writes nothing.
pub(crate) async fn foresee_start(config_path: &Path, surroundings: Surroundings) -> Foreseen {
    let layers = Layers::open(&surroundings.state_dir, config_path);
    let directory = last_good::directory(&surroundings.state_dir, config_path);
    let saved = tokio::task::spawn_blocking(move || last_good::newest(&directory)).await.ok().flatten();
    let before = match saved {
        Some(saved) => build_saved(config_path.to_owned(), surroundings.clone(), saved).await.ok(),
        None => None,
    };
    let against = if before.is_some() { Against::Saved } else { Against::Nothing };
    let (read, built) = build(layers, surroundings, None, None, Touched::Everything).await;
    let digest = read.map(|read| read.digest());
    let foreseen = Foreseen::against(against, before.as_deref()).with_digest(digest);
    match built {
        Ok(Built::New(candidate)) => {
            let is_same = before.as_ref().is_some_and(|before| Some(before.documents.digest()) == digest);
            if is_same {
                return foreseen.unchanged();
            }
            let (before, candidate) = (before.map(Arc::<Snapshot>::from), Arc::from(candidate));
            compared(foreseen, before, candidate).await
        }
        Ok(Built::Unchanged) => foreseen.unchanged(),
        Err(rejection) => foreseen.rejected(&rejection),
    }
}

async fn compared(foreseen: Foreseen, before: Option<Arc<Snapshot>>, candidate: Arc<Snapshot>) -> Foreseen {
    let (old, new) = (before.clone(), Arc::clone(&candidate));
    let work = move || Differences::between(old.as_deref(), &new);
    let differences = tokio::task::spawn_blocking(work).await.unwrap_or_default();
    foreseen.applied(before.as_deref(), &candidate, differences)
}
