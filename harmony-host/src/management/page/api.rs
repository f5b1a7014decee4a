//! The calls of the management API that the page shows, as every client gets them.

use std::fmt::Debug;
use std::pin::Pin;

use serde_json::Value;

/// The body of an answer with the status 200; `None` for every other.
pub(in crate::management) type Answer<'a> = Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;

/// The management API, asked by the page itself.
///
/// The page shows what a call answers, without a second way to the same facts. A call that this gateway does not have, or that
/// fails, has no answer.
pub(in crate::management) trait Api: Debug + Send + Sync {
    /// Answers `GET operation`, an operation with its query.
    fn get<'a>(&'a self, operation: &str) -> Answer<'a>;
}

/// Returns the answer to `GET operation` as JSON.
pub(super) async fn json(api: &dyn Api, operation: &str) -> Option<Value> {
    serde_json::from_str(&api.get(operation).await?).ok()
}
