//! Parsing of base URLs.

use provider_api::{InvalidPath, UrlPath};
use url::Url;

/// Parses a base URL: http or https, a host, no credentials, query or fragment, and a path in its normal form as it
/// is written.
///
/// # Errors
/// A description of the mistake, without the URL: it may contain a password.
pub(crate) fn base_url(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text).map_err(|e| format!("expected a URL such as https://api.example.com/r4: {e}"))?;
    UrlPath::of_url(text).map_err(InvalidPath::as_str)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("expected http or https, found the scheme `{}`", url.scheme()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("expected a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("expected no user name or password in a URL".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("expected no query and no fragment".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_plain() {
        assert!(base_url("https://api.example.com:8443/r4").is_ok());
        for bad in ["ftp://a/", "https://u:p@a/", "http://a/?q", "/r4", "http://a/#f", "nonsense", "http://"]
        {
            assert!(base_url(bad).is_err(), "{bad}");
        }
        // A parsed URL would hide what is wrong with these.
        for bad in [
            "http://a/r4/../x",
            "http://a/r4\\x",
            "http://a\\r4",
            "http://a/r4%00",
            "http:/a",
            "http://a/r\t4",
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }
}
