//! The connector that watches the responses of its connections.

use std::error::Error as StdError;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::Connection;
use tower_service::Service;

use crate::proxy::answer_head::Watched;

/// A connector whose connections are [`Watched`].
#[derive(Clone, Debug)]
pub(super) struct Watching<C>(pub(super) C);

impl<C> Service<Uri> for Watching<C>
where
    C: Service<Uri>,
    C::Response: Connection + Send,
    C::Error: Into<Box<dyn StdError + Send + Sync>>,
    C::Future: Send + 'static,
{
    type Response = Watched<C::Response>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move { connecting.await.map(Watched::new) })
    }
}
