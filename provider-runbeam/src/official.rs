//! The official names of Runbeam Cloud.

use url::Url;

/// The origins at which the documents and the clients of Runbeam name its API. One cloud answers at all of them.
const ORIGINS: [&str; 4] = [
    "https://api.runbeam.cloud",
    // The base URL of the API and the issuer of its tokens, in the official SDK.
    "https://api.runbeam.io",
    // The `api` of a gateway, in the official SDK.
    "https://app.runbeam.io",
    // The default of the official command line.
    "http://app.runbeam.io",
];

/// The default of `api`.
pub(crate) const DEFAULT_API: &str = ORIGINS[0];

/// Reports whether `given` names the control plane at `configured`: by its origin, or by another official name if
/// `configured` is official too.
///
/// Such a name tells only which control plane is meant. A credential goes to the origin of `configured`, and keys come
/// from there, whatever name was given.
pub(crate) fn names(configured: &Url, given: &Url) -> bool {
    let plain = given.has_host() && given.username().is_empty() && given.password().is_none();
    plain && (given.origin() == configured.origin() || is_official(configured) && is_official(given))
}

/// Compares whole origins: the host of another domain can begin or end with an official name.
fn is_official(url: &Url) -> bool {
    ORIGINS.contains(&url.origin().ascii_serialization().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(configured: &str, given: &str) -> bool {
        Url::parse(given).is_ok_and(|given| names(&Url::parse(configured).unwrap(), &given))
    }

    #[test]
    fn official_names_are_one_cloud() {
        for given in ORIGINS.into_iter().chain([
            "http://app.runbeam.io/api",
            "HTTPS://API.Runbeam.IO:443/api/",
            "http://app.runbeam.io:80",
            "https://app.runbeam.io/api/cli/check-login/x",
        ]) {
            for configured in ORIGINS {
                assert!(accepted(configured, given), "{given}");
            }
            for configured in
                ["https://cloud.example", "http://127.0.0.1:8787", "https://api.runbeam.io.evil"]
            {
                assert!(!accepted(configured, given), "{given} at {configured}");
            }
        }
    }

    #[test]
    fn similar_names_are_other_clouds() {
        for given in [
            "https://evil-runbeam.io",
            "https://app.evil-runbeam.io",
            "https://runbeam.io",
            "https://runbeam.cloud",
            "https://evil.app.runbeam.io",
            "https://app.runbeam.io.evil.example",
            "https://app.runbeam.io.",
            "https://app.runbeam.io:8443",
            "https://app.runbeam.io:80",
            "http://app.runbeam.io:443",
            "http://api.runbeam.cloud",
            "http://api.runbeam.io",
            "https://app.runbeam.cloud",
            "https://app.runbeam.io@evil.example",
            "https://user@app.runbeam.io",
            "https://:password@app.runbeam.io",
            "https://evil.example/https://app.runbeam.io",
            "https://evil.example#app.runbeam.io",
            "https://app.runbeam.io%00.evil.example",
            "https://app.runbeam\u{ff0e}io.evil.example",
            "https://\u{430}pp.runbeam.io",
            "ftp://app.runbeam.io",
            "ws://app.runbeam.io",
            "data:https://app.runbeam.io",
            "app.runbeam.io",
            "",
        ] {
            assert!(!accepted(DEFAULT_API, given), "{given}");
        }
    }
}
