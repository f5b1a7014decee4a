//! Views of a snapshot for the application that embeds the host.

use std::net::SocketAddr;

use crate::config::{self, LinkedPipeline};
use crate::documents::{Content, Document};
use crate::snapshot::Snapshot;
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
    /// A TOML file of pipelines, meshes and what they name.
    Part,
    /// A transform: JSON.
    Transform,
    /// A certificate chain or a key.
    Pem,
}

impl<'s> File<'s> {
    pub(super) fn new(name: &'s str, document: &'s Document) -> Self {
        Self { name, document }
    }

    /// The name, relative to the directory of config.toml, as the configuration writes it.
    pub fn name(&self) -> &'s str {
        self.name
    }

    /// The kind.
    pub fn kind(&self) -> FileKind {
        match &self.document.content {
            Content::Toml(fragment) if fragment.gateway.is_some() => FileKind::Gateway,
            Content::Toml(_) => FileKind::Part,
            Content::Transform(_) => FileKind::Transform,
            Content::Pem(_) => FileKind::Pem,
        }
    }

    /// The text; `None` for certificates and keys. Configuration files may hold secrets.
    pub fn text(&self) -> Option<&'s str> {
        match &self.document.content {
            Content::Toml(fragment) => Some(fragment.source.text()),
            Content::Transform(source) => Some(source.text()),
            Content::Pem(_) => None,
        }
    }

    /// The SHA-256 of the bytes.
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

    /// The name.
    pub fn name(&self) -> &'s str {
        &self.0.pipeline.name
    }

    /// The networks that it is reached on.
    pub fn networks(&self) -> impl Iterator<Item = &'s str> {
        self.0.pipeline.networks.iter().map(|network| network.value.as_str())
    }

    /// The endpoints: name, service and path prefix of each. An endpoint of an application's service may have no path.
    pub fn endpoints(&self) -> impl Iterator<Item = (&'s str, &'s str, Option<&'s str>)> {
        self.0.endpoints.iter().map(|endpoint| {
            let path = endpoint.path_prefix.as_ref().map(|path| path.value.as_str());
            (endpoint.name.as_str(), endpoint.service.value.as_str(), path)
        })
    }

    /// The name and the service of the backend.
    pub fn backend(&self) -> Option<(&'s str, &'s str)> {
        let backend = &self.0.backend.as_ref()?.backend;
        Some((&backend.name, &backend.service.value))
    }

    /// The reason for which requests are refused with 501: something that the configuration names is not served.
    pub fn unserved(&self) -> Option<&'s str> {
        self.0.unserved.as_deref()
    }
}

/// A network of a configuration. The host opens no listener: an application that listens does so by these.
#[derive(Clone, Copy, Debug)]
pub struct Network<'s>(&'s config::Network);

impl<'s> Network<'s> {
    /// The name.
    pub fn name(&self) -> &'s str {
        &self.0.name
    }

    /// The address to listen on. `None` without one, and for a network that nobody but WireGuard peers may reach.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.listen.as_ref().map(|listen| listen.address.value)
    }

    /// Returns whether the listener has a certificate. It must then not answer in cleartext.
    pub fn is_tls(&self) -> bool {
        self.0.listen.as_ref().is_some_and(|listen| listen.tls.is_some())
    }
}

impl Snapshot {
    /// The networks, in the order of their names.
    pub fn networks(&self) -> impl Iterator<Item = Network<'_>> {
        self.config.networks.iter().map(Network)
    }
}
