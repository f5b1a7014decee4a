use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

use super::state::State;

/// What the file holds; a new state when there is none.
pub(super) fn read(path: &Path) -> Result<State, Error> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|wrong| Error::new(ErrorKind::InvalidData, format!("{}: {wrong}", path.display()))),
        Err(missing) if missing.kind() == ErrorKind::NotFound => Ok(State::default()),
        Err(wrong) => Err(Error::new(wrong.kind(), format!("{}: {wrong}", path.display()))),
    }
}

/// Replaces the file by a whole new one. The keys are in it, so only its owner may read it.
///
/// # Panics
/// When it cannot be written: going on would promise to keep what is lost.
pub(super) fn write(path: &Path, state: &State) {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        serde_json::to_writer_pretty(&mut file, state)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|failed| failed.error)
    });
    if let Err(wrong) = written {
        panic!("{} cannot be written: {wrong}", path.display());
    }
}
