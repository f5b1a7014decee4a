//! The settings of a gateway that a change may repeat in any spelling, and may not make.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use provider_api::Registry;
use serde::Deserialize as _;
use toml::Table;

use crate::config::fragment::Fragment;
use crate::config::trusted_proxies::TrustedProxies;
use crate::config::{GatewaySections, ProviderSection};
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Source;
use crate::documents::editable;
use crate::documents::identity::real;

/// The meaning of the guarded settings of a config.toml. Two spellings of the same settings are equal.
#[derive(Debug, PartialEq)]
pub(super) struct Guarded {
    /// The value of `proxy.id`, or else of `proxy.name`.
    pub(super) identity: String,
    /// The real paths of the directories of pipelines, transforms and meshes.
    directories: [PathBuf; 3],
    /// The value of `proxy.name`, or else of `proxy.id`.
    name: Option<toml::Value>,
    /// The keys of `[proxy]` that no other field has, as they are written.
    proxy: Table,
    /// The time for which keys are cached, in hours, as it is written.
    jwks_cache_duration_hours: toml::Value,
    /// `remote_env_vars`, `required_env_vars` and `sensitive_field_patterns`.
    secrecy: [Vec<String>; 3],
    trusted_proxies: TrustedProxies,
    /// The base path, network and token of the management API, if it is enabled.
    pub(super) management: Option<(String, String, Option<String>)>,
    /// The network of the management API.
    pub(super) network: Option<NetworkMeaning>,
}

/// The meaning of a network: its address, TLS files and redirect.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NetworkMeaning {
    address: Option<SocketAddr>,
    tls: Option<(String, String)>,
    force_https: bool,
}

impl Guarded {
    /// Reads the settings of a config.toml in the directory `root`; `None` if they cannot be read.
    pub(super) fn of(text: &str, root: &Path) -> Option<Self> {
        let gateway = gateway(text)?;
        let proxy = &gateway.proxy;
        let directory = |path: &str| real(&root.join(path));
        let management = gateway.management.as_ref();
        let network = management.and_then(|management| {
            let network = gateway.networks.iter().find(|network| network.name == management.network.value)?;
            let listen = network.listen.as_ref();
            Some(NetworkMeaning {
                address: listen.map(|listen| listen.address.value),
                tls: listen
                    .and_then(|listen| listen.tls.as_ref())
                    .map(|tls| (tls.cert.value.clone(), tls.key.value.clone())),
                force_https: listen.is_some_and(|listen| listen.force_https.is_some()),
            })
        });
        let mut written = written_proxy(text)?;
        let name = written.remove("name").or_else(|| written.get("id").cloned());
        let default = || i64::try_from(proxy.jwks_cache_duration_hours).unwrap_or_default().into();
        let jwks_cache_duration_hours = written.remove("jwks_cache_duration_hours").unwrap_or_else(default);
        written.retain(|key, value| {
            !BY_MEANING.contains(&key) && !value.as_table().is_some_and(Table::is_empty)
        });
        Some(Self {
            identity: proxy.id.clone(),
            name,
            proxy: written,
            jwks_cache_duration_hours,
            directories: [
                directory(&proxy.pipelines_path.path),
                directory(&proxy.transforms_path.path),
                directory(&proxy.mesh_path.path),
            ],
            secrecy: [
                proxy.remote_env_vars.clone(),
                proxy.required_env_vars.clone(),
                proxy.sensitive_field_patterns.clone(),
            ],
            trusted_proxies: proxy.trusted_proxies.clone(),
            management: management.map(|management| {
                let token = management.token.as_ref().map(|token| token.expose().to_owned());
                (management.base_path.clone(), management.network.value.clone(), token)
            }),
            network,
        })
    }
}

/// The settings of a provider, as the gateway uses them.
#[derive(Debug)]
pub(super) struct ProviderMeaning {
    settings: Table,
    /// The name of the legacy section that they come from.
    pub(super) legacy: Option<&'static str>,
}

impl ProviderMeaning {
    /// Reads the settings that a config.toml has for the provider `name`, with the defaults of its type. `None` for a
    /// provider that needs a section and has none.
    pub(super) fn of(text: &str, name: &str, registry: &Registry) -> Option<Self> {
        let gateway = gateway(text)?;
        let (sections, mut problems) = (&gateway.providers, Problems::default());
        let legacy = sections.legacy(registry, &mut problems).filter(|legacy| legacy.name.as_str() == name);
        let section =
            sections.by_name.iter().find(|(own, _)| own.as_str() == name).map(|(_, section)| section);
        let provider_type = section.map_or(name, |section| section.provider_type.as_str());
        let profile = registry.profile(provider_type);
        let found = section.or(legacy.as_ref().map(|legacy| &legacy.section));
        let mut settings = match (found, profile) {
            (Some(section), _) => table(section),
            (None, Some(profile)) if !profile.defaults.is_empty() => Table::new(),
            _ => return None,
        };
        for (key, default) in profile.map(|profile| profile.defaults).unwrap_or_default() {
            settings.entry(*key).or_insert_with(|| (*default).into());
        }
        let shared: BTreeMap<&str, toml::Value> = BTreeMap::from([
            ("type", provider_type.into()),
            ("enabled", found.is_none_or(|section| section.enabled).into()),
        ]);
        for (key, value) in shared {
            settings.insert(key.to_owned(), value);
        }
        let legacy = legacy.and_then(|_| Some(profile?.legacy?.name)).filter(|_| section.is_none());
        Some(Self { settings, legacy })
    }

    /// Returns whether `value` is the setting `key` that the gateway uses already. Addresses are equal if they differ in
    /// a slash at the end only.
    pub(super) fn holds(&self, key: &str, value: Option<&toml::Value>) -> bool {
        let (Some(own), Some(value)) = (self.settings.get(key), value) else { return false };
        match (own.as_str(), value.as_str()) {
            (Some(own), Some(value)) if own.contains("://") && own != value => {
                // Two texts without a normal form are not equal for that.
                address(own).is_some_and(|own| address(value) == Some(own))
            }
            _ => own == value,
        }
    }
}

fn table(section: &ProviderSection) -> Table {
    section.with_settings(|settings| Table::deserialize(settings).unwrap_or_default())
}

/// Returns the normal form of an address.
fn address(text: &str) -> Option<String> {
    let url: http::Uri = text.parse().ok()?;
    let port = match (url.scheme_str()?, url.port_u16()) {
        ("https", Some(443)) | ("http", Some(80)) => None,
        (_, port) => port,
    };
    let host = url.host()?.to_ascii_lowercase();
    // Credentials and queries are no other spelling of an address without them.
    let plain = url.query().is_none() && !text.contains(['@', '#', '$']);
    plain.then(|| {
        format!(
            "{}://{host}:{port:?}{}",
            url.scheme_str().unwrap_or_default(),
            url.path().trim_end_matches('/')
        )
    })
}

/// The keys of `[proxy]` that are compared by their meaning, and the one that a change may set.
const BY_MEANING: [&str; 8] = [
    "id",
    "primary_provider",
    "pipelines_path",
    "transforms_path",
    "mesh_path",
    "remote_env_vars",
    "required_env_vars",
    "sensitive_field_patterns",
];

/// Returns `[proxy]` as it is written.
fn written_proxy(text: &str) -> Option<Table> {
    match editable::meaning(text)?.remove("proxy")? {
        toml::Value::Table(proxy) => Some(proxy),
        _ => None,
    }
}

fn gateway(text: &str) -> Option<Box<GatewaySections>> {
    Fragment::gateway(&Source::new("config.toml", text)).gateway
}
