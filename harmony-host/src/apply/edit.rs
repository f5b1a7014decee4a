//! Edits of config.toml that the host makes itself, on behalf of the operator.

use std::fs;
use std::io;

use crate::apply::{Applier, Trigger};
use crate::audit::Actor;
use crate::documents::Touched;
use crate::history::Cause;
use crate::storage::atomic_file::Access;
use crate::storage::exchange::{self, Outcome};
use crate::storage::{io_error, replaced};

/// Returns the new text of config.toml, or `None` if it stays as it is.
pub(crate) type ConfigEdit = Box<dyn Fn(&str) -> io::Result<Option<String>> + Send>;

/// The limit of attempts when the operator edits the file meanwhile.
const MAX_TRIES: usize = 5;

impl Applier {
    /// Edits config.toml and applies it. The edit is made again if the operator edits the file meanwhile. Returns whether
    /// the file was written.
    ///
    /// # Errors
    /// The error of the operating system or of `edit`; the file is then unchanged.
    pub(super) async fn edit_config(&mut self, edit: ConfigEdit, by: Actor) -> io::Result<bool> {
        let path = self.layers.config_path().to_owned();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let copies = self.surroundings.state_dir.join("harmony");
        let number = self.published.snapshot().generation;
        let work = move || {
            let mut save = |edit: &[u8]| {
                let copy = replaced::save(&copies, number, &name, edit)?;
                tracing::warn!(
                    file = name,
                    copy = %copy.display(),
                    "this file was edited while the gateway wrote it; a copy of the edit is saved"
                );
                Ok(())
            };
            for _ in 0..MAX_TRIES {
                let text = fs::read_to_string(&path)?;
                let Some(new) = edit(&text)? else { return Ok(false) };
                let is_known = |content: &[u8]| content == text.as_bytes() || content == new.as_bytes();
                exchange::settle(&path, &is_known, &mut save)?;
                let is_old = |content: &[u8]| content == text.as_bytes();
                let outcome = exchange::replace(&path, new.as_bytes(), Access::Keep(0o600), Some(&is_old))?;
                exchange::settle(&path, &is_known, &mut save)?;
                if outcome == Outcome::Done {
                    return Ok(true);
                }
            }
            Err(io::Error::other("the file is being edited"))
        };
        let at = io_error::at(self.layers.config_path());
        let written = tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?.map_err(at)?;
        if written {
            self.apply(Touched::Everything, Trigger::Requested, Cause::Authorize { by }).await;
        }
        Ok(written)
    }
}
