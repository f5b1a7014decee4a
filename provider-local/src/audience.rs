//! The claim `aud`: the mesh, or a URL prefix.

use provider_api::{Expected, covers};

/// The audiences that one request accepts.
pub(crate) struct Audience<'a> {
    /// The mesh, if it may be the audience.
    mesh_id: Option<&'a str>,
    /// The requested URL.
    url: &'a str,
}

impl<'a> Audience<'a> {
    /// With `whole_mesh`, the mesh is an audience too.
    pub(crate) fn new(expected: &Expected<'a>, whole_mesh: bool) -> Self {
        Self { mesh_id: whole_mesh.then(|| expected.mesh.mesh_id()), url: expected.url }
    }

    /// Reports whether one value of the claim `aud` covers the request: the mesh as `<id>` or `mesh:<id>`, or a URL that
    /// the requested URL is below.
    pub(crate) fn accepts(&self, aud: &str) -> bool {
        let is_mesh = |mesh_id: &str| aud == mesh_id || aud.strip_prefix("mesh:") == Some(mesh_id);
        self.mesh_id.is_some_and(is_mesh) || covers(aud, self.url)
    }
}

#[cfg(test)]
mod tests {
    use provider_api::MeshIdentity;

    use super::*;

    fn accepts(aud: &str, url: &str) -> bool {
        let mesh = MeshIdentity { name: "imaging".into(), id: Some("01H".into()) };
        Audience::new(&Expected { mesh: &mesh, url }, true).accepts(aud)
    }

    #[test]
    fn mesh_is_no_audience_of_one_member() {
        let mesh = MeshIdentity { name: "imaging".into(), id: Some("01H".into()) };
        let audience = Audience::new(&Expected { mesh: &mesh, url: "https://a.example/r4" }, false);
        assert!(audience.accepts("https://a.example/r4"));
        assert!(!audience.accepts("01H") && !audience.accepts("mesh:01H"));
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
        for url in [
            "https://a.example/r4/../admin",
            "https://a.example/r4/%2e%2E/admin",
            "https://a.example/r4\\admin",
        ] {
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
