//! The address of a control plane in messages.

use std::fmt;

use url::Url;

/// The maximum number of characters of a path in a message.
const MAX_PATH_CHARS: usize = 160;

/// The number of characters from which a path segment is not shown: ids are shorter, secrets often longer.
const MAX_SEGMENT_CHARS: usize = 64;

/// A URL that is displayed without what may be secret: its origin and its path.
///
/// Every message about a control plane has one, since a gateway may have several.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address<'a>(pub(crate) &'a Url);

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text of a URL is ASCII without control characters, also when a control plane chose it.
        write!(f, "{}", self.0.origin().ascii_serialization())?;
        let path = self.0.path().trim_end_matches('/');
        let mut left = MAX_PATH_CHARS;
        for segment in path.split('/').skip(1) {
            let shown = if segment.len() > MAX_SEGMENT_CHARS { "..." } else { segment };
            if shown.len() >= left {
                return f.write_str("/...");
            }
            left -= shown.len() + 1;
            write!(f, "/{shown}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        Address(&Url::parse(url).unwrap()).to_string()
    }

    #[test]
    fn address_is_origin_and_path() {
        assert_eq!(shown("https://u:p@a.example/x/y?token=z#f"), "https://a.example/x/y");
        assert_eq!(shown("http://127.0.0.1:8080/"), "http://127.0.0.1:8080");
        assert_eq!(shown("https://[::1]:8443/api/"), "https://[::1]:8443/api");
    }

    #[test]
    fn long_paths_and_segments_are_shortened() {
        assert_eq!(shown(&format!("https://a/x/{}/y", "s".repeat(65))), "https://a/x/.../y");
        assert!(shown(&format!("https://a{}", "/segment".repeat(100))).len() < 190);
    }
}
