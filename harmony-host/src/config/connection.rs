use url::Url;

use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Spanned;
use crate::http::base_url::base_url;

/// `connection.{host,port,protocol,base_path}` of a backend or target; each key on its own, because a
/// backend's override its target's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    /// A host name or address, or a whole URL.
    pub(crate) host: Option<Spanned<String>>,
    /// The port; the scheme's own when absent.
    pub(crate) port: Option<Spanned<u64>>,
    /// `http`, `https`, or something this host does not speak.
    pub(crate) protocol: Option<Spanned<String>>,
    /// The path everything is below.
    pub(crate) base_path: Option<Spanned<String>>,
}

impl Connection {
    pub(crate) fn read(section: &Section<'_>, problems: &mut Problems) -> Self {
        let Some(connection) = section.section("connection", problems) else { return Self::default() };
        let read = Self {
            host: connection.text("host", problems),
            port: connection.integer("port", 1..=65535, problems),
            protocol: connection.text("protocol", problems),
            base_path: connection.text("base_path", problems),
        };
        connection.finish(problems);
        read
    }

    /// These keys, and `below`'s where these are absent.
    pub(crate) fn over(&self, below: &Self) -> Self {
        Self {
            host: self.host.clone().or_else(|| below.host.clone()),
            port: self.port.clone().or_else(|| below.port.clone()),
            protocol: self.protocol.clone().or_else(|| below.protocol.clone()),
            base_path: self.base_path.clone().or_else(|| below.base_path.clone()),
        }
    }

    /// Whether this host speaks the protocol.
    pub(crate) fn spoken(&self) -> bool {
        self.protocol.as_ref().is_none_or(|p| matches!(p.value.as_str(), "http" | "https"))
    }

    /// The base URL these keys describe; `None` when there is no host.
    ///
    /// # Errors
    /// What is wrong with it.
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

    fn complete(&self, text: &str) -> Result<Url, String> {
        let mut url = base_url(text)?;
        if let Some(port) = &self.port {
            let port = u16::try_from(port.value).map_err(|e| e.to_string())?;
            url.set_port(Some(port)).map_err(|()| "the port cannot be set".to_owned())?;
        }
        if let Some(path) = &self.base_path {
            url.set_path(&path.value);
        }
        Ok(url)
    }
}
