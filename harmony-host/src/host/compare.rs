//! The comparison of two recorded generations.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostics::sensitive::Sensitive;
use crate::difference::Differences;
use crate::documents::{Documents, Loaded};
use crate::history::{FileDiff, History, Manifest, NotRecorded, compare};
use crate::host::control::Control;
use crate::providers::Surroundings;
use crate::snapshot::Snapshot;

/// The differences of two generations.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// The differences in words; `None` where one of them cannot be built any more.
    pub(crate) changed: Option<Vec<String>>,
    pub(crate) files: Vec<FileDiff>,
    /// The number of files that are left out.
    pub(crate) left_out: usize,
}

/// The sources of a comparison.
struct Comparer {
    history: Arc<History>,
    surroundings: Surroundings,
    served: Arc<Snapshot>,
}

impl Comparer {
    fn compare(&self, from: u64, to: u64) -> Result<Comparison, NotRecorded> {
        let (from, to) = (self.history.manifest(from)?, self.history.manifest(to)?);
        let mut sensitive = vec![self.served.documents.sensitive()];
        sensitive.extend([&from, &to].into_iter().filter_map(|side| self.sensitive(side)));
        let text = |side: &Manifest, name: &str| self.history.text(side, name);
        let (files, left_out) = compare(&from, &to, &sensitive, &text);
        let changed = self.build(&from).zip(self.build(&to)).map(|(from, to)| {
            let differences = Differences::between(Some(&from), &to);
            differences.differences.into_iter().map(|difference| difference.text).collect()
        });
        Ok(Comparison { from: from.generation, to: to.generation, changed, files, left_out })
    }

    /// Returns what the config.toml of a generation says about secrets.
    fn sensitive(&self, side: &Manifest) -> Option<Arc<Sensitive>> {
        let path = self.served.documents.config_path();
        let name = path.file_name()?.to_str()?;
        let saved = BTreeMap::from([(name.to_owned(), self.history.text(side, name).ok()?)]);
        Some(Documents::from_saved(path, &saved).documents.sensitive())
    }

    /// Builds a generation from its recorded texts, and the certificates and keys that are served now.
    fn build(&self, side: &Manifest) -> Option<Snapshot> {
        let mut saved = BTreeMap::new();
        for (name, file) in &side.files {
            let text = match file.is_pem {
                true => self.served.documents.pem(name)?.expose().to_owned(),
                false => self.history.text(side, name).ok()?,
            };
            saved.insert(name.clone(), text);
        }
        let Loaded { documents, problems } =
            Documents::from_saved(self.served.documents.config_path(), &saved);
        Snapshot::build(Arc::new(documents), problems, side.generation, &self.surroundings, None).ok()
    }
}

impl Control {
    /// Compares two generations; `to` is the one that is served unless it is given.
    ///
    /// # Errors
    /// A generation that is not recorded.
    pub(crate) async fn compare(&self, from: u64, to: Option<u64>) -> Result<Comparison, NotRecorded> {
        self.history.settled().await;
        let served = self.snapshot();
        let to = to.unwrap_or(served.generation);
        let (history, surroundings) = (Arc::clone(&self.history), self.surroundings.clone());
        let comparer = Comparer { history, surroundings, served };
        let compared = tokio::task::spawn_blocking(move || comparer.compare(from, to)).await;
        let reason = "the comparison failed; the log has the panic".to_owned();
        compared.unwrap_or(Err(NotRecorded::Lost { generation: from, reason }))
    }
}
