//! The data file: loading and saving the state.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

use super::state::State;

/// Loads the state, or an empty one if the file does not exist.
pub(super) fn read(path: &Path) -> Result<State, Error> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|error| Error::new(ErrorKind::InvalidData, format!("{}: {error}", path.display()))),
        Err(missing) if missing.kind() == ErrorKind::NotFound => Ok(State::default()),
        Err(error) => Err(Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
}

/// Saves the state atomically. The file contains private keys, so only its owner may read it.
///
/// # Panics
/// Panics if the file cannot be written. Continuing would lose state that was promised to be saved.
pub(super) fn write(path: &Path, state: &State) {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        serde_json::to_writer_pretty(&mut file, state)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|failed| failed.error)
    });
    if let Err(error) = written {
        panic!("{} cannot be written: {error}", path.display());
    }
}
