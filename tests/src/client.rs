use reqwest::{Client, Response};

/// An HTTP client that trusts nobody and keeps its connections. Reading the machine's certificates for each
/// of hundreds of clients takes longer than all the tests.
///
/// # Panics
/// When it cannot be made.
pub fn client() -> Client {
    Client::builder().tls_certs_only([]).no_proxy().build().expect("a client")
}

/// GET with a client of its own.
///
/// # Errors
/// What reqwest says.
pub async fn get(url: impl AsRef<str>) -> reqwest::Result<Response> {
    client().get(url.as_ref()).send().await
}
