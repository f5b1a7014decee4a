//! The certificate and key files that a document names.

use crate::config::Fragment;
use crate::diagnostics::source::Spanned;

/// A certificate or key file, and the key that names it.
#[derive(Debug)]
pub(super) struct KeyFile {
    /// The dotted key. Messages name it, since its value may be a secret that was given as a path.
    pub(super) key: String,
    pub(super) path: Spanned<String>,
}

/// Returns the files that a document names, except those of disabled meshes.
pub(super) fn key_files(fragment: &Fragment) -> Vec<KeyFile> {
    let mut named = Vec::new();
    let mut name = |key: std::fmt::Arguments<'_>, path: &Option<Spanned<String>>| {
        named.extend(path.clone().map(|path| KeyFile { key: key.to_string(), path }));
    };
    for network in fragment.gateway.iter().flat_map(|gateway| &gateway.networks) {
        if let Some(tls) = network.listen.as_ref().and_then(|listen| listen.tls.as_ref()) {
            let section = format!("network.{}.{}", network.name, tls.section);
            name(format_args!("{section}.cert_path"), &Some(tls.cert.clone()));
            name(format_args!("{section}.key_path"), &Some(tls.key.clone()));
        }
    }
    for backend in &fragment.backends {
        name(format_args!("backends.{}.connection.ca_cert_path", backend.name), &backend.connection.ca_cert);
    }
    for target in &fragment.targets {
        name(format_args!("targets.{}.connection.ca_cert_path", target.name), &target.connection.ca_cert);
    }
    for mesh in fragment.meshes.iter().filter(|mesh| mesh.enabled) {
        name(format_args!("mesh.{}.jwt_private_key_path", mesh.name), &mesh.jwt_private_key_path);
        name(format_args!("mesh.{}.jwt_public_key_path", mesh.name), &mesh.jwt_public_key_path);
    }
    named
}
