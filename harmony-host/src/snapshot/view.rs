//! Views of a snapshot for the application that embeds the host.

use std::net::SocketAddr;

use crate::config::{self, LinkedPipeline};
use crate::documents::{Content, Document};
use crate::storage::digest::Digest;

/// A file of a configuration.
#[derive(Clone, Copy, Debug)]
pub struct File<'s> {
    name: &'s str,
    document: &'s Document,
}

/// The kind of a [`File`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// config.toml.
    Gateway,
    /// A TOML file of pipelines, endpoints, backends or meshes.
    Part,
    /// A transform, in JSON.
    Transform,
    /// A certificate chain or a key.
    Pem,
}

impl<'s> File<'s> {
    pub(super) fn new(name: &'s str, document: &'s Document) -> Self {
        Self { name, document }
    }

    /// Returns the name, relative to the directory of config.toml, as the configuration spells it.
    pub fn name(&self) -> &'s str {
        self.name
    }

    /// Returns the kind.
    pub fn kind(&self) -> FileKind {
        match &self.document.content {
            Content::Toml(fragment) if fragment.gateway.is_some() => FileKind::Gateway,
            Content::Toml(_) => FileKind::Part,
            Content::Transform(_) => FileKind::Transform,
            Content::Pem(_) => FileKind::Pem,
        }
    }

    /// Returns the text; `None` for certificates and keys. Configuration files may hold secrets.
    pub fn text(&self) -> Option<&'s str> {
        match &self.document.content {
            Content::Toml(fragment) => Some(fragment.source.text()),
            Content::Transform(source) => Some(source.text()),
            Content::Pem(_) => None,
        }
    }

    /// Returns the SHA-256 of the bytes.
    pub fn digest(&self) -> Digest {
        self.document.digest
    }
}

/// A pipeline of a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Pipeline<'s>(&'s LinkedPipeline);

impl<'s> Pipeline<'s> {
    pub(super) fn new(linked: &'s LinkedPipeline) -> Self {
        Self(linked)
    }

    /// Returns the name.
    pub fn name(&self) -> &'s str {
        &self.0.pipeline.name
    }

    /// Returns the networks that serve the pipeline.
    pub fn networks(&self) -> impl Iterator<Item = &'s str> {
        self.0.pipeline.networks.iter().map(|network| network.value.as_str())
    }

    /// Returns the endpoints: name, service and path prefix of each. An endpoint of an application's service may have no
    /// path.
    pub fn endpoints(&self) -> impl Iterator<Item = (&'s str, &'s str, Option<&'s str>)> {
        self.0.endpoints.iter().map(|endpoint| {
            let path = endpoint.path_prefix.as_ref().map(|path| path.value.as_str());
            (endpoint.name.as_str(), endpoint.service.value.as_str(), path)
        })
    }

    /// Returns the name and the service of the backend.
    pub fn backend(&self) -> Option<(&'s str, &'s str)> {
        let backend = &self.0.backend.as_ref()?.backend;
        Some((&backend.name, &backend.service.value))
    }

    /// Returns the feature that the configuration names and this host lacks: requests are answered 501.
    pub fn unserved(&self) -> Option<&'s str> {
        self.0.unserved.as_deref()
    }
}

/// A network of a configuration. The host opens no listener: an application that listens does so by these.
#[derive(Clone, Copy, Debug)]
pub struct Network<'s>(pub(super) &'s config::Network);

impl<'s> Network<'s> {
    /// The name.
    pub fn name(&self) -> &'s str {
        &self.0.name
    }

    /// The address to listen on. `None` without one, and for a network that only WireGuard peers may reach.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.listen.as_ref().map(|listen| listen.address.value)
    }

    /// Returns whether the listener has a certificate. It must then not answer in cleartext.
    pub fn is_tls(&self) -> bool {
        self.0.listen.as_ref().is_some_and(|listen| listen.tls.is_some())
    }
}
