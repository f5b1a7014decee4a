//! Faults for the tests alone, which drive a real process.

/// Does what the file says that `EMBED_FAULT` names, in the middle of `activate`, while the file exists.
pub(crate) async fn strike() {
    let file = std::env::var_os("EMBED_FAULT").unwrap_or_default();
    match std::fs::read_to_string(file).unwrap_or_default().as_str() {
        "panic" => panic!("as the test says"),
        "hang" => std::future::pending().await,
        _ => {}
    }
}
