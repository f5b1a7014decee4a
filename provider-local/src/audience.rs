//! The claim `aud`: the mesh, or a URL prefix.

use provider_api::Expected;
use url::Url;

/// The audiences that one request accepts.
pub(crate) struct Audience<'a> {
    mesh_id: &'a str,
    /// The requested URL; `None` when it does not parse, and then no URL of a token covers it.
    url: Option<Url>,
}

impl<'a> Audience<'a> {
    pub(crate) fn new(expected: &Expected<'a>) -> Self {
        Self { mesh_id: expected.mesh.mesh_id(), url: Url::parse(expected.url).ok() }
    }

    /// Reports whether one value of the claim `aud` covers the request: the mesh as `<id>` or `mesh:<id>`, or a URL that
    /// the requested URL is below.
    pub(crate) fn accepts(&self, aud: &str) -> bool {
        aud == self.mesh_id
            || aud.strip_prefix("mesh:") == Some(self.mesh_id)
            || self.url.as_ref().is_some_and(|url| Url::parse(aud).is_ok_and(|aud| covers(&aud, url)))
    }
}

/// Reports whether `url` is `base` or below it: the same origin, and a prefix of whole path segments.
///
/// The parser has already lowercased the host, removed a default port and resolved `..`, percent-encoded or not.
fn covers(base: &Url, url: &Url) -> bool {
    let same_origin = base.has_host()
        && base.scheme() == url.scheme()
        && base.host() == url.host()
        && base.port_or_known_default() == url.port_or_known_default();
    let path = base.path();
    let under = url.path().strip_prefix(path.strip_suffix('/').unwrap_or(path));
    same_origin && under.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use provider_api::MeshIdentity;

    use super::*;

    fn accepts(aud: &str, url: &str) -> bool {
        let mesh = MeshIdentity { name: "imaging".into(), id: Some("01H".into()) };
        Audience::new(&Expected { mesh: &mesh, url }).accepts(aud)
    }

    #[test]
    fn url_covers_itself_and_below() {
        for aud in
            ["https://a.example", "https://a.example/", "https://a.example/r4", "https://a.example/r4/"]
        {
            assert!(accepts(aud, "https://a.example/r4"), "{aud}");
            assert!(accepts(aud, "https://a.example/r4/Patient/1"), "{aud}");
        }
    }

    #[test]
    fn prefix_ends_at_a_segment() {
        assert!(!accepts("https://a.example/r4", "https://a.example/r4evil"));
        assert!(!accepts("https://a.example/r4", "https://a.example/R4"));
        assert!(!accepts("https://a.example/r4/Patient", "https://a.example/r4"));
    }

    #[test]
    fn dot_segments_are_resolved() {
        for url in ["https://a.example/r4/../admin", "https://a.example/r4/%2e%2E/admin"] {
            assert!(!accepts("https://a.example/r4", url), "{url}");
        }
    }

    #[test]
    fn scheme_host_and_port_must_match() {
        assert!(accepts("HTTPS://A.Example:443/r4", "https://a.example/r4"));
        assert!(accepts("http://a.example/r4", "http://A.EXAMPLE:80/r4"));
        for aud in [
            "http://a.example/r4",
            "https://a.example:8443/r4",
            "https://a.example.evil/r4",
            "https://a.example@evil/r4",
            "https://b.example/r4",
            "//a.example/r4",
            "a.example/r4",
            "",
        ] {
            assert!(!accepts(aud, "https://a.example/r4"), "{aud}");
        }
    }

    #[test]
    fn mesh_is_an_audience() {
        assert!(accepts("01H", "https://a.example/"));
        assert!(accepts("mesh:01H", "https://a.example/"));
        assert!(accepts("01H", "not a url"));
        for aud in ["imaging", "mesh:imaging", "mesh:", "mesh:01", "01h"] {
            assert!(!accepts(aud, "https://a.example/"), "{aud}");
        }
    }

    #[test]
    fn invalid_urls_are_not_covered() {
        assert!(!accepts("https://a.example", "a.example/r4"));
        assert!(!accepts("mailto:x@a.example", "mailto:x@a.example"));
    }
}
