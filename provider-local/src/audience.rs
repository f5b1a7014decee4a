use provider_api::Expected;
use url::Url;

/// Who a token may be meant for, for one request.
pub(crate) struct Audience<'a> {
    mesh_id: &'a str,
    /// `None` when the URL asked for is none; then no URL of a token can be said to cover it.
    url: Option<Url>,
}

impl<'a> Audience<'a> {
    pub(crate) fn of(expected: &Expected<'a>) -> Self {
        Self { mesh_id: expected.mesh.mesh_id(), url: Url::parse(expected.url).ok() }
    }

    /// Whether one value of an `aud` claim means this request: the mesh, as its id or as `mesh:<id>`, or a
    /// URL that the URL asked for lies under.
    pub(crate) fn admits(&self, aud: &str) -> bool {
        aud == self.mesh_id
            || aud.strip_prefix("mesh:") == Some(self.mesh_id)
            || self.url.as_ref().is_some_and(|asked| Url::parse(aud).is_ok_and(|aud| covers(&aud, asked)))
    }
}

/// Whether `asked` lies under `base`: the same origin and whole segments of the path. Parsing has already
/// lowered the host, dropped a default port and resolved `..`, escaped or not.
fn covers(base: &Url, asked: &Url) -> bool {
    let same_origin = base.has_host()
        && base.scheme() == asked.scheme()
        && base.host() == asked.host()
        && base.port_or_known_default() == asked.port_or_known_default();
    let path = base.path();
    let under = asked.path().strip_prefix(path.strip_suffix('/').unwrap_or(path));
    same_origin && under.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use provider_api::MeshIdentity;

    use super::*;

    fn admits(aud: &str, url: &str) -> bool {
        let mesh = MeshIdentity { name: "imaging".into(), id: Some("01H".into()) };
        Audience::of(&Expected { mesh: &mesh, url }).admits(aud)
    }

    #[test]
    fn a_url_covers_itself_and_what_lies_under_it() {
        for aud in
            ["https://a.example", "https://a.example/", "https://a.example/r4", "https://a.example/r4/"]
        {
            assert!(admits(aud, "https://a.example/r4"), "{aud}");
            assert!(admits(aud, "https://a.example/r4/Patient/1"), "{aud}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_segment() {
        assert!(!admits("https://a.example/r4", "https://a.example/r4evil"));
        assert!(!admits("https://a.example/r4", "https://a.example/R4"));
        assert!(!admits("https://a.example/r4/Patient", "https://a.example/r4"));
    }

    #[test]
    fn a_path_that_climbs_out_is_not_under_its_beginning() {
        for url in ["https://a.example/r4/../admin", "https://a.example/r4/%2e%2E/admin"] {
            assert!(!admits("https://a.example/r4", url), "{url}");
        }
    }

    #[test]
    fn scheme_host_and_port_are_the_same_or_nothing_is() {
        assert!(admits("HTTPS://A.Example:443/r4", "https://a.example/r4"));
        assert!(admits("http://a.example/r4", "http://A.EXAMPLE:80/r4"));
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
            assert!(!admits(aud, "https://a.example/r4"), "{aud}");
        }
    }

    #[test]
    fn the_mesh_itself_is_an_audience() {
        assert!(admits("01H", "https://a.example/"));
        assert!(admits("mesh:01H", "https://a.example/"));
        assert!(admits("01H", "not a url"));
        for aud in ["imaging", "mesh:imaging", "mesh:", "mesh:01", "01h"] {
            assert!(!admits(aud, "https://a.example/"), "{aud}");
        }
    }

    #[test]
    fn what_is_no_url_is_covered_by_none() {
        assert!(!admits("https://a.example", "a.example/r4"));
        assert!(!admits("mailto:x@a.example", "mailto:x@a.example"));
    }
}
