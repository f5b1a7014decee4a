use std::fmt;
use std::time::Duration;

use provider_api::{Cadence, Error, InvalidSettings, Result};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use url::{Host, Url};

/// The control plane of a gateway that names none.
pub(crate) const DEFAULT_API: &str = "https://api.runbeam.cloud";

/// The longest interval, in seconds.
const MAX_POLL_SECS: u64 = 3600;

/// The section `[provider.<name>]` of a gateway's configuration.
///
/// A key that is not known here is ignored, since the section may grow; the names of such keys are kept, so
/// that a refusal can say that a key was perhaps misspelled. Every switch is off unless its name is right.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Where the control plane is: an `https` URL, or `http` on the loopback. `https://api.runbeam.cloud`
    /// unless set.
    pub api: String,
    /// Permits `http` to another machine: the machine token then crosses the network in the clear.
    pub allow_insecure: bool,
    /// Permits certificates that nobody vouches for, when the process was started with
    /// `RUNBEAM_ACCEPT_INVALID_CERTS=true` as well. Development only.
    pub accept_invalid_certs: bool,
    /// How often to ask for changes, in seconds, 0 to 3600: 30 unless set. 0 asks on demand only.
    pub poll_interval_secs: u64,
    /// Keys that mean nothing here.
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
    /// The configured origin and path, and when to ask for changes.
    ///
    /// # Errors
    /// Everything that is wrong in `[provider.<name>]`, each with its key.
    pub(crate) fn checked(&self, name: &str) -> Result<(Url, Cadence), InvalidSettings> {
        let base = self.base().map_err(|error| error.with_key(format!("provider.{name}.api")));
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

    /// The configured origin and path, checked.
    pub(crate) fn base(&self) -> Result<Url> {
        let refuse = |why: String| {
            let expected = Self::default().api;
            Error::invalid(format!("`api` {why}; expected a URL such as {expected}{}", self.misspelled()))
        };
        let mut url = Url::parse(self.api.trim()).map_err(|e| refuse(format!("is no URL: {e}")))?;
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err(refuse(format!("has the scheme `{}`", url.scheme())));
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("has a user, a query or a fragment".to_owned()));
        }
        if url.scheme() == "http" && !is_loopback(&url) && !self.allow_insecure {
            return Err(refuse(
                "is http to another machine, which would send the machine token in the clear \
                 (allow_insecure = true permits it)"
                    .to_owned(),
            ));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(url)
    }

    /// When to ask for changes.
    pub(crate) fn cadence(&self) -> Result<Cadence> {
        match self.poll_interval_secs {
            0 => Ok(Cadence::OnDemand),
            secs @ 1..=MAX_POLL_SECS => Ok(Cadence::Every(Duration::from_secs(secs))),
            secs => {
                Err(Error::invalid(format!("`poll_interval_secs` is {secs}; expected 0 to {MAX_POLL_SECS}")))
            }
        }
    }

    fn misspelled(&self) -> String {
        match self.unknown.first() {
            Some(key) => {
                format!("; the key `{}` is not known here", key.escape_debug().take(64).collect::<String>())
            }
            None => String::new(),
        }
    }
}

/// Whether `url` never leaves this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

// By hand, since serde's `flatten` would lose where in the file a value of the wrong type stands.
impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Section)
    }
}

struct Section;

impl<'de> Visitor<'de> for Section {
    type Value = Settings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the section of a provider")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Settings, A::Error> {
        let mut settings = Settings::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "api" => settings.api = map.next_value()?,
                "allow_insecure" => settings.allow_insecure = map.next_value()?,
                "accept_invalid_certs" => settings.accept_invalid_certs = map.next_value()?,
                "poll_interval_secs" => settings.poll_interval_secs = map.next_value()?,
                "type" => drop(map.next_value::<IgnoredAny>()?),
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
        Settings { api: api.to_owned(), allow_insecure, ..Settings::default() }.base()
    }

    #[test]
    fn the_token_does_not_cross_the_network_in_the_clear_by_accident() {
        assert!(base("https://api.runbeam.cloud/", false).is_ok());
        assert!(base("http://127.0.0.1:8000/api", false).is_ok());
        assert!(base("http://localhost:8000", false).is_ok());
        assert!(base("http://api.example.com", false).is_err());
        assert!(base("http://api.example.com", true).is_ok());
        assert!(base("http://127.0.0.1.example.com", false).is_err());
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for bad in ["", "api", "ftp://a/", "https://u:p@a/", "https://a/?q", "https://a/#f", "data:x"] {
            assert!(base(bad, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_misspelled_switch_is_off_and_the_refusal_names_it() {
        let settings: Settings =
            toml::from_str("api = 'http://a.example'\nalow_insecure = true\ntype = 'runbeam'").unwrap();
        assert_eq!(settings.unknown, ["alow_insecure"]);
        let refusal = settings.base().unwrap_err().to_string();
        assert!(
            refusal.contains("`alow_insecure`") && refusal.contains("allow_insecure = true"),
            "{refusal}"
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused_where_it_stands() {
        let text = "api = 'https://a'\nallow_insecure = 'yes'";
        let span = toml::from_str::<Settings>(text).unwrap_err().span().unwrap();
        assert_eq!(&text[span], "'yes'");
    }

    #[test]
    fn the_interval_is_bounded_and_zero_means_on_demand() {
        let cadence = |secs| Settings { poll_interval_secs: secs, ..Settings::default() }.cadence();
        assert_eq!(cadence(0).unwrap(), Cadence::OnDemand);
        assert_eq!(cadence(3600).unwrap(), Cadence::Every(Duration::from_secs(3600)));
        assert!(cadence(3601).is_err());
    }
}
