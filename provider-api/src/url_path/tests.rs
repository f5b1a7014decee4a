//! The normal form, and what lenient servers make of paths that have one.

use proptest::prelude::*;

use super::*;

fn normal(path: &str) -> Result<String, InvalidPath> {
    UrlPath::parse(path).map(|path| path.as_str().to_owned())
}

#[test]
fn legitimate_paths_keep_their_meaning() {
    for path in [
        "/Patient/$everything",
        "/Patient/1/_history/2",
        "/studies/1.2.840/series/1/frames/1,2",
        "/a:b/@c/d=e/(f)*/g'h!",
        "/r4/...",
        "/.well-known/x",
        "/a..b",
        "/a//b/",
        "/a%20b/%C3%A9",
        "/a;v=1/b",
        "/100%25",
        "/a%2Fb",
        "",
        "/",
    ] {
        assert_eq!(normal(path).as_deref(), Ok(path));
    }
    for (path, expected) in
        [("/%72%34/%e2%82%ac", "/r4/%E2%82%AC"), ("/a|b\"c", "/a%7Cb%22c"), ("/\u{e9}", "/%C3%A9")]
    {
        assert_eq!(normal(path).as_deref(), Ok(expected));
    }
}

#[test]
fn paths_that_servers_leave_have_no_normal_form() {
    for (expected, paths) in [
        (
            InvalidPath::DotSegment,
            &[
                "/a/..",
                "/./a",
                "/a/%2e%2E",
                "/a/.%2e/b",
                "/a/..%2fb",
                "/..;x/b",
                "/%2e.%3b/b",
                "/a/%252e%252e",
                "/a/%25252e./b",
                "/a/..%20/b",
                "/a/..%3fb",
                "/r4;x/..",
                "/a%2f%2e%2e",
            ][..],
        ),
        (
            InvalidPath::Forbidden,
            &["/r4\\admin", "/r4%5cadmin", "/r4%00", "/a%0d%0aX:1", "/a%255cb", "/a%7f", "/a\tb"],
        ),
        (
            InvalidPath::Escape,
            &[
                "/%",
                "/a%2",
                "/%zz",
                "/%2%65",
                "/%u002e",
                "/%\u{e9}1",
                "/a%25252525252525252525252525252525252525252541",
            ],
        ),
        (InvalidPath::Encoding, &["/%c0%af", "/%c0%ae%c0%ae/x", "/%e0%80%af", "/%ff", "/%c3%25a9"]),
    ] {
        for path in paths {
            assert_eq!(normal(path), Err(expected), "{path}");
        }
    }
}

#[test]
fn other_readings_are_told() {
    for (path, expected) in [
        ("/r4;x/a", &["/r4/a"][..]),
        ("/r4%3Bx", &["/r4;x", "/r4"]),
        ("/r4%2fa", &["/r4/a"]),
        ("/r4%3Fa", &["/r4"]),
        ("/r4%252fa", &["/r4%2Fa", "/r4/a"]),
        ("/%2572%2534", &["/%72%34", "/r4"]),
        ("/;%3F/open", &["/open", "/"]),
        ("/%24a/%C3%A9/%20", &[]),
        ("/100%25", &[]),
    ] {
        let path = UrlPath::parse(path).unwrap();
        let segments = |path: &UrlPath<'_>| path.segments().map(|(s, _)| s.into_owned()).collect::<Vec<_>>();
        let found: Vec<Vec<String>> = path.readings().map(|read| segments(&read)).collect();
        for expected in expected {
            let expected: Vec<&str> = expected.split('/').filter(|segment| !segment.is_empty()).collect();
            let is_it = |read: &Vec<String>| decoded(read) == decoded(&expected);
            assert!(found.iter().any(is_it), "{path:?}: {found:?}, not {expected:?}");
        }
        assert_eq!(found.is_empty(), expected.is_empty(), "{path:?}: {found:?}");
    }
}

/// Joins segments, as bytes that a server looks up.
fn decoded(segments: &[impl AsRef<str>]) -> String {
    let joined: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    String::from_utf8(decode_once(joined.join("/").as_bytes())).unwrap()
}

#[test]
fn urls_cover_whole_segments() {
    for url in ["https://a.example/r4", "https://A.example:443/r4/Patient/1", "https://a.example//r4/%24x"] {
        assert!(covers("https://a.example/r4", url) && covers("https://a.example/r4/", url), "{url}");
        assert!(covers("https://a.example", url), "{url}");
    }
    for url in [
        "https://a.example/r4evil",
        "https://a.example/R4",
        "https://a.example/r4/../admin",
        "https://a.example/r4/%2e%2e/admin",
        "https://a.example/r4\\admin",
        "https://a.example\\r4",
        "https://a.example/r4;x",
        "https://a.example/r4%2fx",
        "https://a.example/\tr4",
        "http://a.example/r4",
        "https://a.example:8443/r4",
        "https://b.example/r4",
        "https:/a.example/r4",
        "mailto:r4",
        "",
    ] {
        assert!(!covers("https://a.example/r4", url), "{url}");
    }
    assert!(!covers("https://a.example/x/../r4", "https://a.example/r4"));
    assert!(!covers("https://a.example/r4;x", "https://a.example/r4;x/y"));
    assert!(!covers("data:x", "data:x") && !covers("", "https://a.example/"));
}

/// Interpretations of a path that servers are known for; each ends in the segments that the server looks up.
fn readings(path: &str) -> Vec<Vec<String>> {
    let bytes = |text: &str| decode_once(text.as_bytes());
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let once = text(bytes(path));
    let twice = text(bytes(&once));
    let without_parameters = |path: &str| {
        path.split('/').map(|s| s.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/")
    };
    let mut all = vec![
        path.to_owned(),
        without_parameters(path),
        text(bytes(&without_parameters(path))),
        once.clone(),
        without_parameters(&once),
        once.replace('\\', "/"),
        once.split('\0').next().unwrap_or_default().to_owned(),
        once.split(['?', '#']).next().unwrap_or_default().to_owned(),
        twice.clone(),
        without_parameters(&twice),
        twice.replace('\\', "/"),
    ];
    all.dedup();
    all.iter().map(|path| resolve(path)).collect()
}

/// Removes dot segments and empty ones.
fn resolve(path: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for segment in path.split('/') {
        match segment.trim_end_matches(' ') {
            "" if segment.is_empty() => {}
            "." => {}
            ".." => drop(out.pop()),
            _ => out.push(segment.to_owned()),
        }
    }
    out
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "/", "/", "open", "r4", "a", ".", "..", ";", "\\", "%2f", "%2F", "%5c", "%00", "%2e", "%3b",
        "%3f", "%23", "%25", "25", "2e", "2f", "%20", "%c0%af", "%c3%a9", "$", "%24", ":", "|", "%", "%6f",
        "%0d", "\u{e9}", "~",
    ]);
    prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn any_text_is_parsed_or_refused(path in any::<String>()) {
        if let Ok(path) = UrlPath::parse(&path) {
            prop_assert!(path.segments().all(|(_, end)| path.as_str().is_char_boundary(end)));
        }
    }

    /// The normal form of a normal form is itself, and no URL parser changes it.
    #[test]
    fn normal_forms_are_stable(path in hostile()) {
        if let Ok(once) = normal(&format!("/{path}")) {
            prop_assert_eq!(normal(&once), Ok(once.clone()));
            let url = Url::parse(&format!("http://a{once}")).unwrap();
            prop_assert_eq!(url.path(), once);
        }
    }

    /// No server reads a path below an open prefix as one outside of it.
    #[test]
    fn no_reading_leaves_a_prefix(path in hostile()) {
        let path = format!("/open{path}");
        let prefix = UrlPath::parse("/open").unwrap();
        let Ok(parsed) = UrlPath::parse(&path) else { return Ok(()) };
        if parsed.is_below(&prefix) {
            for read in readings(parsed.as_str()).into_iter().chain(readings(&path)) {
                prop_assert_eq!(read.first().map(String::as_str), Some("open"), "{} read as {:?}", path, read);
            }
        }
    }
}
