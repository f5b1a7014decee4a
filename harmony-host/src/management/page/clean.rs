//! Text of others, made fit for the page.

use crate::diagnostics::escape::escape;
use crate::diagnostics::redaction::redact;

/// Returns text of documents, providers and clients for the page: without values of the environment, and with the characters
/// escaped that reorder what is around them. The template escapes those of HTML.
pub(super) fn clean(text: &str) -> String {
    escape(&redact(text)).into_owned()
}
