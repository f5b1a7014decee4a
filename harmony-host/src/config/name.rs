/// Whether `text` is what pipelines, meshes, networks and the like are named with: `^[a-z0-9_-]+$`, at most
/// 64 characters. Only such a name may become a file name.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_no_name() {
        for bad in ["../../x", "a/b", "a.b", "", "Ä", "UPPER", "a\0b"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_name("fhir_api-2"));
    }
}
