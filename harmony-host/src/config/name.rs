//! The rule for names.

/// Returns whether `text` is a valid name of a pipeline, mesh, network and so on: `^[a-z0-9_-]+$`, at most 64
/// characters. Names become file names, so path separators and dots are excluded.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_not_names() {
        for bad in ["../../x", "a/b", "a.b", "", "Ä", "UPPER", "a\0b"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_name("fhir_api-2"));
    }
}
