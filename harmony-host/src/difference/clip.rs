//! Texts of a limited length.

/// Returns at most `most` characters of a text; a longer one ends with three dots.
pub(super) fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
