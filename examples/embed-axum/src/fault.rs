//! Fault injection for the tests, which run the example as a process.

/// Panics or hangs in the middle of `activate`, while the file named by `EMBED_FAULT` exists and contains `panic` or
/// `hang`.
pub(crate) async fn inject() {
    let file = std::env::var_os("EMBED_FAULT").unwrap_or_default();
    match std::fs::read_to_string(file).unwrap_or_default().as_str() {
        "panic" => panic!("injected by a test"),
        "hang" => std::future::pending().await,
        _ => {}
    }
}
