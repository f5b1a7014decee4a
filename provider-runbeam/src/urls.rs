//! URLs of the control plane: joining paths, and the check that a URL has the configured origin.

use provider_api::{Error, Result};
use url::Url;

use crate::address::Address;
use crate::official;

/// Appends the segments of `path` and then those of `last` to `base`. Each is percent-encoded, so a segment from
/// outside stays one segment.
pub(crate) fn append_path(base: &Url, path: &str, last: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path.split('/').filter(|segment| !segment.is_empty())).extend(last);
    }
    url
}

/// Returns the URL of `path` below `/api`, with the segments of `last` appended and encoded. The base URL of an API may itself
/// end in `/api`.
pub(crate) fn below_api(base: &Url, path: &str, last: &[&str]) -> Url {
    let ends_in_api = base.path().trim_end_matches('/').rsplit('/').next() == Some("api");
    let path = if ends_in_api { path.to_owned() } else { format!("api/{path}") };
    append_path(base, &path, last)
}

/// Resolves a URL that the control plane sent, relative to `from`, and checks that it has the origin of `origin`.
/// A request to another origin would send the credential there. Another official name of the same control plane is
/// replaced by `origin`.
///
/// # Errors
/// Unavailable for another origin and for a text that is not a URL.
pub(crate) fn same_origin_url(action: &str, origin: &Url, from: &Url, given: &str) -> Result<Url> {
    let url = from.join(given.trim()).map_err(|e| {
        let address = Address(origin);
        Error::unavailable(format!("{action}: the control plane at {address} sent an invalid URL"))
            .with_source(e)
    })?;
    if official::names(origin, &url) {
        let mut ours = origin.clone();
        ours.set_path(url.path());
        ours.set_query(url.query());
        return Ok(ours);
    }
    let named = url.origin().ascii_serialization();
    Err(Error::unavailable(format!(
        "{action}: the control plane at {} sent a URL at {}, which is another origin; the URL is not followed; if the \
         control plane has moved, change `api`",
        origin.origin().ascii_serialization(),
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
    fn paths_are_below_api() {
        let transform = |base: &str| below_api(&url(base), "transforms", &["01H"]).to_string();
        assert_eq!(transform("https://a/"), "https://a/api/transforms/01H");
        assert_eq!(transform("https://a/api"), "https://a/api/transforms/01H");
        assert_eq!(transform("https://a/x/api/"), "https://a/x/api/transforms/01H");
        assert_eq!(transform("https://a/napi"), "https://a/napi/api/transforms/01H");
    }

    #[test]
    fn segments_are_encoded() {
        assert_eq!(
            append_path(&url("https://a/x"), "harmony/changes", &["b c/d?e"]).as_str(),
            "https://a/x/harmony/changes/b%20c%2Fd%3Fe"
        );
        assert_eq!(append_path(&url("https://a/"), "harmony", &[]).as_str(), "https://a/harmony");
    }

    #[test]
    fn only_the_configured_origin_is_accepted() {
        let ours = url("https://a.example/api");
        let resolve =
            |given: &str| same_origin_url("testing", &ours, &url("https://a.example/api/list?page=1"), given);
        assert_eq!(resolve("?page=2").unwrap().as_str(), "https://a.example/api/list?page=2");
        assert_eq!(resolve("https://A.example:443/b").unwrap().as_str(), "https://a.example/b");
        for bad in [
            "http://a.example/",
            "https://a.example:8443/",
            "//b.example/",
            "https://u@a.example/",
            "data:x",
            "https://",
            "https://api.runbeam.io/",
        ] {
            assert!(resolve(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn official_names_are_replaced() {
        let ours = url("https://api.runbeam.cloud");
        let resolve = |given: &str| same_origin_url("testing", &ours, &ours, given);
        for given in ["http://app.runbeam.io/api?page=2", "https://api.runbeam.io/api?page=2", "api?page=2"] {
            assert_eq!(resolve(given).unwrap().as_str(), "https://api.runbeam.cloud/api?page=2");
        }
        for bad in ["https://app.runbeam.io.evil.example/api", "https://user@app.runbeam.io/api"] {
            assert!(resolve(bad).is_err(), "{bad}");
        }
    }
}
