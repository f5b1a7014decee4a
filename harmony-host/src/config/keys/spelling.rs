//! The known name that a misspelled one probably means.

/// Returns the known name that `given` is probably a misspelling of: the one with the smallest edit distance, if that is
/// small enough.
pub(crate) fn nearest<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if given.len() > 64 {
        return None;
    }
    let given = plain(given);
    let distances = known.map(|name| (strsim::damerau_levenshtein(&given, &plain(name)), name));
    let (distance, name) =
        distances.min_by_key(|(distance, name)| (*distance, name.len().abs_diff(given.len())))?;
    // Short words are near each other: `auth` is no mistake of `aet`.
    let limit = match name.len().max(given.len()) {
        0..=4 => 1,
        5..=7 => 2,
        _ => 3,
    };
    (distance <= limit && distance < name.len()).then_some(name)
}

/// Returns a name for comparison: another case, and `-` for `_`, are no difference.
pub(crate) fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}
