//! The connection settings of a backend or target.

use std::sync::{Arc, LazyLock};

use provider_api::UrlPath;
use url::Url;

use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Spanned;
use crate::http::base_url::base_url;

/// The table `connection` of a backend or target. Every key is optional, because the keys of a backend override those
/// of its target one by one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    /// The host name or address, or a whole URL.
    pub(crate) host: Option<Spanned<String>>,
    /// The port; the default port of the scheme if absent.
    pub(crate) port: Option<Spanned<u64>>,
    /// The protocol: `http`, `https`, or one that this host does not support.
    pub(crate) protocol: Option<Spanned<String>>,
    /// The path that is put before the path of each request.
    pub(crate) base_path: Option<Spanned<String>>,
    /// The file of certificate authorities that are trusted for the server.
    pub(crate) ca_cert: Option<Spanned<String>>,
}

impl Connection {
    /// Reads the table.
    pub(crate) fn read(section: &Section<'_>, problems: &mut Problems) -> Self {
        let Some(connection) = section.section("connection", problems) else { return Self::default() };

        Self {
            host: connection.text("host", problems),
            port: connection.integer("port", 1..=65535, problems),
            protocol: connection.text("protocol", problems),
            base_path: connection.text("base_path", problems),
            ca_cert: connection.text("ca_cert_path", problems),
        }
    }

    /// Returns these keys behind a pointer: most backends have none, and share one.
    pub(crate) fn shared(self) -> Arc<Self> {
        static NONE: LazyLock<Arc<Connection>> = LazyLock::new(Arc::default);
        if self.is_set() { Arc::new(self) } else { Arc::clone(&NONE) }
    }

    /// Returns these keys, with the keys of `fallback` where these are absent.
    pub(crate) fn with_fallback(&self, fallback: &Self) -> Self {
        Self {
            host: self.host.clone().or_else(|| fallback.host.clone()),
            port: self.port.clone().or_else(|| fallback.port.clone()),
            protocol: self.protocol.clone().or_else(|| fallback.protocol.clone()),
            base_path: self.base_path.clone().or_else(|| fallback.base_path.clone()),
            ca_cert: self.ca_cert.clone().or_else(|| fallback.ca_cert.clone()),
        }
    }

    /// Returns whether any key is set.
    pub(crate) fn is_set(&self) -> bool {
        let Self { host, port, protocol, base_path, ca_cert } = self;
        port.is_some() || [host, protocol, base_path, ca_cert].into_iter().any(Option::is_some)
    }

    /// Returns whether this host supports the protocol.
    pub(crate) fn is_supported(&self) -> bool {
        self.protocol.as_ref().is_none_or(|p| matches!(p.value.as_str(), "http" | "https"))
    }

    /// Returns the base URL of these keys; `None` if there is no host.
    ///
    /// # Errors
    /// A description of the mistake.
    pub(crate) fn url(&self) -> Option<Result<Url, String>> {
        let host = self.host.as_ref()?.value.trim();
        let text = if host.contains("://") {
            host.to_owned()
        } else {
            let scheme = self.protocol.as_ref().map_or("http", |p| p.value.as_str());
            let bare_v6 = host.contains(':') && !host.starts_with('[');
            if bare_v6 { format!("{scheme}://[{host}]") } else { format!("{scheme}://{host}") }
        };
        Some(self.complete(&text))
    }

    /// Adds port and path to the URL `text`.
    fn complete(&self, text: &str) -> Result<Url, String> {
        let mut url = base_url(text)?;
        if let Some(port) = &self.port {
            let port = u16::try_from(port.value).map_err(|e| e.to_string())?;
            url.set_port(Some(port)).map_err(|()| "the port cannot be set".to_owned())?;
        }
        if let Some(path) = &self.base_path {
            // A URL would resolve dot segments and silently replace backslashes.
            UrlPath::parse(&path.value).map_err(|wrong| format!("base_path: {wrong}"))?;
            url.set_path(&path.value);
        }
        Ok(url)
    }
}
