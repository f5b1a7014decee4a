//! The settings of the provider: the section `[provider.<name>]`.

use std::fmt;
use std::time::Duration;

use provider_api::{Cadence, Error, InvalidSettings, Result};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use url::{Host, Url};

use crate::official::DEFAULT_API;

/// The maximum of `poll_interval_secs`.
const MAX_POLL_SECS: u64 = 3600;

/// The section `[provider.<name>]` of a gateway's configuration.
///
/// The factory tells the host all keys, and the host rejects others unless they are allowed. Here, unknown keys are ignored
/// and collected in [`unknown`](Self::unknown), so that an error can point to a misspelled key. Every switch is off by
/// default.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The URL of the control plane: `https`, or `http` on the loopback interface. Default:
    /// `https://api.runbeam.cloud`.
    pub api: String,
    /// Permits `http` to another machine. The machine token then crosses the network unencrypted.
    pub allow_insecure: bool,
    /// Accepts certificates that do not verify, if `RUNBEAM_ACCEPT_INVALID_CERTS=true` is set in the environment as
    /// well. Development only.
    pub accept_invalid_certs: bool,
    /// The interval between two requests for changes in seconds, 0 to 3600. Default: 30. With 0, changes are requested
    /// on demand only.
    pub poll_interval_secs: u64,
    /// The names of unknown keys.
    pub unknown: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api: DEFAULT_API.to_owned(),
            allow_insecure: false,
            accept_invalid_certs: false,
            poll_interval_secs: 30,
            unknown: Vec::new(),
        }
    }
}

impl Settings {
    /// Returns the URL of the control plane and the cadence of sync.
    ///
    /// # Errors
    /// All problems of `[provider.<name>]`, each with its key.
    pub(crate) fn validated(&self, name: &str) -> Result<(Url, Cadence), InvalidSettings> {
        let base = self.base_url().map_err(|error| error.with_key(format!("provider.{name}.api")));
        let cadence = self.cadence();
        let cadence = cadence.map_err(|error| error.with_key(format!("provider.{name}.poll_interval_secs")));
        match (base, cadence) {
            (Ok(base), Ok(cadence)) => Ok((base, cadence)),
            (base, cadence) => {
                let errors: Vec<Error> = base.err().into_iter().chain(cadence.err()).collect();
                Err(InvalidSettings::of(errors).unwrap_or_else(|| Error::invalid("invalid settings").into()))
            }
        }
    }

    /// Returns the URL of the control plane.
    ///
    /// # Errors
    /// Invalid for a URL that is not usable, or that would send the machine token unencrypted.
    pub(crate) fn base_url(&self) -> Result<Url> {
        let invalid = |reason: String| {
            let expected = Self::default().api;
            Error::invalid(format!(
                "`api` {reason}; expected a URL such as {expected}{}",
                self.unknown_key_hint()
            ))
        };
        let mut url = Url::parse(self.api.trim()).map_err(|e| invalid(format!("is not a URL: {e}")))?;
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err(invalid(format!("has the scheme `{}`", url.scheme())));
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("has a user, a query or a fragment".to_owned()));
        }
        if url.scheme() == "http" && !is_loopback(&url) && !self.allow_insecure {
            return Err(invalid(
                "is http to another machine, which would send the machine token unencrypted \
                 (allow_insecure = true permits it)"
                    .to_owned(),
            ));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(url)
    }

    /// Returns the cadence of sync.
    pub(crate) fn cadence(&self) -> Result<Cadence> {
        match self.poll_interval_secs {
            0 => Ok(Cadence::OnDemand),
            secs @ 1..=MAX_POLL_SECS => Ok(Cadence::Every(Duration::from_secs(secs))),
            secs => {
                Err(Error::invalid(format!("`poll_interval_secs` is {secs}; expected 0 to {MAX_POLL_SECS}")))
            }
        }
    }

    /// Returns a hint at an unknown key, which may be a misspelled switch.
    fn unknown_key_hint(&self) -> String {
        match self.unknown.first() {
            Some(key) => {
                format!("; the key `{}` is unknown", key.escape_debug().take(64).collect::<String>())
            }
            None => String::new(),
        }
    }
}

/// Reports whether the host of `url` is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

// Not derived: serde's `flatten`, which would collect the unknown keys, loses the position of an invalid value.
impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SettingsVisitor)
    }
}

struct SettingsVisitor;

impl<'de> Visitor<'de> for SettingsVisitor {
    type Value = Settings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a provider section")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Settings, A::Error> {
        let mut settings = Settings::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "api" => settings.api = map.next_value()?,
                "allow_insecure" => settings.allow_insecure = map.next_value()?,
                "accept_invalid_certs" => settings.accept_invalid_certs = map.next_value()?,
                "poll_interval_secs" => settings.poll_interval_secs = map.next_value()?,
                "type" | "enabled" => drop(map.next_value::<IgnoredAny>()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    settings.unknown.push(key);
                }
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(api: &str, allow_insecure: bool) -> Result<Url> {
        Settings { api: api.to_owned(), allow_insecure, ..Settings::default() }.base_url()
    }

    #[test]
    fn api_must_be_encrypted_or_loopback() {
        assert!(base("https://api.runbeam.cloud/", false).is_ok());
        assert!(base("http://127.0.0.1:8000/api", false).is_ok());
        assert!(base("http://localhost:8000", false).is_ok());
        assert!(base("http://api.example.com", false).is_err());
        assert!(base("http://api.example.com", true).is_ok());
        assert!(base("http://127.0.0.1.example.com", false).is_err());
    }

    #[test]
    fn invalid_base_urls_are_refused() {
        for bad in ["", "api", "ftp://a/", "https://u:p@a/", "https://a/?q", "https://a/#f", "data:x"] {
            assert!(base(bad, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn misspelled_switch_is_off_and_named() {
        let settings: Settings =
            toml::from_str("api = 'http://a.example'\nalow_insecure = true\ntype = 'runbeam'").unwrap();
        assert_eq!(settings.unknown, ["alow_insecure"]);
        let error = settings.base_url().unwrap_err().to_string();
        assert!(error.contains("`alow_insecure`") && error.contains("allow_insecure = true"), "{error}");
    }

    #[test]
    fn wrong_type_has_a_span() {
        let text = "api = 'https://a'\nallow_insecure = 'yes'";
        let span = toml::from_str::<Settings>(text).unwrap_err().span().unwrap();
        assert_eq!(&text[span], "'yes'");
    }

    #[test]
    fn poll_interval_is_bounded() {
        let cadence = |secs| Settings { poll_interval_secs: secs, ..Settings::default() }.cadence();
        assert_eq!(cadence(0).unwrap(), Cadence::OnDemand);
        assert_eq!(cadence(3600).unwrap(), Cadence::Every(Duration::from_secs(3600)));
        assert!(cadence(3601).is_err());
    }
}
