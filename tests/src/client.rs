//! The HTTP client of the tests.

use reqwest::{Client, Response};

/// Returns an HTTP client without trusted certificates, proxy or shared connections.
///
/// Tests make hundreds of clients. Loading the system's root certificates for each of them would take longer than all
/// tests together.
///
/// # Panics
/// Panics if the TLS backend cannot be initialized.
pub fn client() -> Client {
    Client::builder().tls_certs_only([]).no_proxy().build().expect("a client")
}

/// Sends a GET request with a new client.
///
/// # Errors
/// Returns the error of reqwest.
pub async fn get(url: impl AsRef<str>) -> reqwest::Result<Response> {
    client().get(url.as_ref()).send().await
}
