use provider_api::{Error, Result};
use url::Url;

/// Appends path segments, each encoded; `path` is ours and has no segment that needs it.
pub(crate) fn below(base: &Url, path: &str, last: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path.split('/').filter(|segment| !segment.is_empty())).extend(last);
    }
    url
}

/// A URL that the control plane named, relative to `from` where it is relative, when it is one of `origin`'s.
///
/// # Errors
/// Unavailable for another origin, or what is no URL: it is not followed.
pub(crate) fn own(what: &str, origin: &Url, from: &Url, given: &str) -> Result<Url> {
    let url = from.join(given.trim()).map_err(|e| {
        Error::unavailable(format!("{what}: the control plane named what is no URL")).with_source(e)
    })?;
    if url.origin() == origin.origin() && url.username().is_empty() && url.password().is_none() {
        return Ok(url);
    }
    let named = url.origin().ascii_serialization();
    let origin = origin.origin().ascii_serialization();
    Err(Error::unavailable(format!(
        "{what}: the control plane named a URL at {}, which is not the configured {origin}; it is not followed",
        named.chars().take(100).collect::<String>()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_segment_stays_a_segment() {
        assert_eq!(
            below(&url("https://a/x"), "harmony/changes", &["b c/d?e"]).as_str(),
            "https://a/x/harmony/changes/b%20c%2Fd%3Fe"
        );
        assert_eq!(below(&url("https://a/"), "harmony", &[]).as_str(), "https://a/harmony");
    }

    #[test]
    fn only_the_configured_origin_is_followed() {
        let ours = url("https://a.example/api");
        let own = |given: &str| own("testing", &ours, &url("https://a.example/api/list?page=1"), given);
        assert_eq!(own("?page=2").unwrap().as_str(), "https://a.example/api/list?page=2");
        assert_eq!(own("https://A.example:443/b").unwrap().as_str(), "https://a.example/b");
        for bad in [
            "http://a.example/",
            "https://a.example:8443/",
            "//b.example/",
            "https://u@a.example/",
            "data:x",
            "https://",
        ] {
            assert!(own(bad).is_err(), "{bad}");
        }
    }
}
