use std::collections::BTreeSet;
use std::sync::Arc;

use provider_api::{
    Attachment, Cadence, Change, ChangeHead, ChangeId, ChangeStatus, ConfigSource, DocumentKind, Error,
    ErrorKind, Pending, Result, async_trait,
};
use reqwest::header::ETAG;
use url::Url;

use crate::api::Conditional;
use crate::base::{below, own};
use crate::credential::Credential;
use crate::runbeam::{Runbeam, blank};
use crate::status::Asking;
use crate::transforms::{is_transform_id, needed};
use crate::wire::{ChangeDetail, ChangeList, TransformAnswer};

/// The most pages of a list that are read, and the most changes.
const MAX_PAGES: usize = 100;
const MAX_CHANGES: usize = 10_000;

/// The most transforms that one pipeline may need.
const MAX_TRANSFORMS: usize = 64;

#[async_trait]
impl ConfigSource for Runbeam {
    async fn pending(&self) -> Result<Pending> {
        self.api.bounded(PENDING, self.list()).await
    }

    async fn fetch(&self, id: &ChangeId) -> Result<Change> {
        let what = format!("fetching the change {id}");
        let fetched = self.api.bounded(&what, self.detail(&what, id)).await;
        if fetched.is_err() {
            // What the host could not get must be listed again.
            self.pending_etag.store(None);
        }
        fetched
    }

    async fn report(&self, id: &ChangeId, status: &ChangeStatus) -> Result<()> {
        let what = format!("reporting the change {id}");
        let told = self.api.bounded(&what, self.tell(&what, id, status)).await;
        if told.is_err() {
            self.pending_etag.store(None);
        }
        told
    }

    fn cadence(&self) -> Cadence {
        self.cadence
    }
}

const PENDING: &str = "asking for pending changes";

impl Runbeam {
    /// The control plane lists newest first; the contract is oldest first.
    async fn list(&self) -> Result<Pending> {
        let credential = self.credential().await?;
        let call = self.call(PENDING, Asking::AsGateway, &credential);
        let mut next = Some(self.api.url(&call, "harmony/changes", &[&credential.gateway_id]).await?);
        let mut list = List::default();
        // One page with an ETag is the common case; a list of several pages is read anew each time.
        let known = self.pending_etag.swap(None);
        let mut etag = None;
        let mut pages = 0;
        while let Some(url) = next.take() {
            pages += 1;
            if pages > MAX_PAGES {
                return Err(Error::unavailable(format!(
                    "{PENDING}: the list has more than {MAX_PAGES} pages"
                )));
            }
            let known = known.as_deref().filter(|_| pages == 1);
            let page: ChangeList = match self.api.get_if_new(&call, url.clone(), known).await {
                Ok(Conditional::Same) => {
                    self.pending_etag.store(known.cloned().map(Arc::new));
                    return Ok(Pending::Unchanged);
                }
                Ok(Conditional::New(page, headers)) => {
                    etag = headers.get(ETAG).cloned();
                    page
                }
                Err(error) => return Err(no_such_gateway(error)),
            };
            list.add(&page)?;
            let link = page.links.and_then(|links| links.next).filter(|link| !link.trim().is_empty());
            next = link.map(|link| own(PENDING, self.api.configured(), &url, &link)).transpose()?;
        }
        self.pending_etag.store(etag.filter(|_| pages == 1).map(Arc::new));
        Ok(Pending::Changes(list.oldest_first()))
    }

    async fn detail(&self, what: &str, id: &ChangeId) -> Result<Change> {
        let credential = self.credential().await?;
        let call = self.call(what, Asking::AsGateway, &credential);
        let url = self.api.url(&call, "harmony/change", &[id.as_str()]).await?;
        let (answer, _): (ChangeDetail, _) = self.api.get(&call, url).await?;
        let change = answer.data;
        if change.id != id.as_str() {
            return Err(Error::invalid(format!("{what}: the control plane sent another change")));
        }
        let document = change.toml_config.filter(|text| !text.trim().is_empty());
        let document = document.ok_or_else(|| Error::invalid(format!("{what}: it has no `toml_config`")))?;
        let kind = DocumentKind::from(change.kind.as_str());
        let mut attachments = Vec::new();
        if kind == DocumentKind::Pipeline {
            let needed = needed(&document);
            if needed.len() > MAX_TRANSFORMS {
                let message = format!(
                    "{what}: it needs {} transforms; at most {MAX_TRANSFORMS} are fetched",
                    needed.len()
                );
                return Err(Error::invalid(message));
            }
            for id in needed {
                attachments.push(self.transform(&id, &credential).await?);
            }
        }
        Ok(Change { id: id.clone(), kind, document, attachments })
    }

    /// A transform that a pipeline needs. That it is not there, or not for this gateway, is final.
    async fn transform(&self, id: &str, credential: &Credential) -> Result<Attachment> {
        let shown: String = id.escape_debug().take(80).collect();
        if !is_transform_id(id) {
            return Err(Error::invalid(format!(
                "`{shown}` is no id of a transform (1 to 64 of A-Z, a-z, 0-9, _ and -)"
            )));
        }
        let what = format!("fetching the transform {shown}, which the pipeline needs");
        let call = self.call(&what, Asking::ForResource, credential);
        let url = transform_url(self.api.base(&call).await?, id);
        let (answer, _): (TransformAnswer, _) = self.api.get(&call, url).await?;
        let content = answer.data.options.instructions;
        match content.trim().is_empty() {
            true => Err(blank(&what, "instructions")),
            false => Ok(Attachment { name: id.to_owned(), content }),
        }
    }
}

/// Transforms are below `/api` of the API's base, which may end there itself.
fn transform_url(base: &Url, id: &str) -> Url {
    let ends = base.path().trim_end_matches('/').rsplit('/').next() == Some("api");
    below(base, if ends { "transforms" } else { "api/transforms" }, &[id])
}

/// A list of changes as its pages come in, newest first.
#[derive(Default)]
struct List {
    heads: Vec<ChangeHead>,
    seen: BTreeSet<ChangeId>,
}

impl List {
    fn add(&mut self, page: &ChangeList) -> Result<()> {
        for change in &page.data {
            let head = change.head().ok_or_else(|| blank(PENDING, "id"))?;
            // While the pages are read a new change moves the others down, and one is seen twice.
            if self.seen.insert(head.id.clone()) {
                self.heads.push(head);
            }
        }
        match self.heads.len() > MAX_CHANGES {
            true => {
                Err(Error::unavailable(format!("{PENDING}: more than {MAX_CHANGES} changes are pending")))
            }
            false => Ok(()),
        }
    }

    /// By when they were made, where every one says so: in a list that came in another order than it should, an
    /// old version would be the last to be applied.
    fn oldest_first(mut self) -> Vec<ChangeHead> {
        self.heads.reverse();
        let made = |head: &ChangeHead| head.created_at.as_deref()?.parse::<jiff::Timestamp>().ok();
        if self.heads.iter().all(|head| made(head).is_some()) {
            self.heads.sort_by_cached_key(made);
        }
        self.heads
    }
}

fn no_such_gateway(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::unavailable(format!(
            "{PENDING}: the control plane does not know this gateway; authorize it again"
        )),
        ErrorKind::Unavailable => error,
        _ => Error::unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_in_the_order_in_which_they_were_made_or_else_from_the_end_of_the_list() {
        let order = |all: &[(&str, Option<&str>)]| {
            let data: Vec<_> = all
                .iter()
                .map(|(id, made)| serde_json::json!({ "id": id, "type": "mesh", "created_at": made }))
                .collect();
            let page = serde_json::from_value(serde_json::json!({ "data": data })).unwrap();
            let mut list = List::default();
            list.add(&page).unwrap();
            list.oldest_first().iter().map(|head| head.id.to_string()).collect::<String>()
        };
        let (early, late) = (Some("2026-01-01T00:00:00Z"), Some("2026-01-01T02:00:00+01:00"));
        assert_eq!(order(&[("c", late), ("b", early), ("a", early)]), "abc");
        assert_eq!(order(&[("a", early), ("c", late)]), "ac");
        assert_eq!(order(&[("a", early), ("c", late), ("d", None)]), "dca");
        assert_eq!(order(&[("a", early), ("c", Some("soon"))]), "ca");
    }

    #[test]
    fn transforms_are_below_api_wherever_that_is() {
        let url = |base: &str| transform_url(&Url::parse(base).unwrap(), "01H").to_string();
        assert_eq!(url("https://a/"), "https://a/api/transforms/01H");
        assert_eq!(url("https://a/api"), "https://a/api/transforms/01H");
        assert_eq!(url("https://a/x/api/"), "https://a/x/api/transforms/01H");
        assert_eq!(url("https://a/napi"), "https://a/napi/api/transforms/01H");
    }
}
