//! Pending changes: the list, one change with its transforms, and reports.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use provider_api::{
    Attachment, Cadence, Change, ChangeHead, ChangeId, ChangeStatus, ConfigSource, DocumentKind, Error,
    ErrorKind, Pending, Result, async_trait,
};
use reqwest::header::ETAG;
use url::Url;

use crate::address::Address;
use crate::addressee::{Listed, Shown, separate};
use crate::api::{Conditional, missing_field};
use crate::credential::Credential;
use crate::purpose::Purpose;
use crate::runbeam::Runbeam;
use crate::transforms::{is_transform_id, required_transforms};
use crate::urls::{append_path, same_origin_url};
use crate::wire::{ChangeDetail, ChangeList, TransformAnswer};

/// The maximum number of pages of a list, against a control plane whose pages link to each other in a loop.
const MAX_PAGES: usize = 100;

/// The maximum number of pending changes.
const MAX_CHANGES: usize = 10_000;

/// The maximum number of transforms of one pipeline.
const MAX_TRANSFORMS: usize = 64;

#[async_trait]
impl ConfigSource for Runbeam {
    async fn pending(&self) -> Result<Pending> {
        self.api.with_deadline(PENDING, self.list()).await
    }

    async fn fetch(&self, id: &ChangeId) -> Result<Change> {
        let action = format!("fetching the change {id}");
        let result = self.api.with_deadline(&action, self.detail(&action, id)).await;
        if result.is_err() {
            // The host must see this change again, so the next list must not be answered with 304.
            self.pending_etag.store(None);
        }
        result
    }

    async fn report(&self, id: &ChangeId, status: &ChangeStatus) -> Result<()> {
        let action = format!("reporting the change {id}");
        let result = self.api.with_deadline(&action, self.send_status(&action, id, status)).await;
        if result.is_err() {
            self.pending_etag.store(None);
        }
        result
    }

    fn cadence(&self) -> Cadence {
        self.cadence
    }

    fn problem(&self) -> Option<String> {
        self.withheld.load().as_deref().cloned()
    }
}

const PENDING: &str = "listing the pending changes";

impl Runbeam {
    /// Reads the list of pending changes. The control plane sends the newest first, the contract wants the oldest
    /// first.
    async fn list(&self) -> Result<Pending> {
        let credential = self.credential().await?;
        let call = self.call(PENDING, Purpose::Gateway, &credential);
        // Without an id the list is that of every gateway the token sees.
        let id: Vec<&str> = credential.gateway_id.as_deref().into_iter().collect();
        let mut next = Some(self.api.url(&call, "harmony/changes", &id).await?);
        let mut list = List::default();
        // The ETag of a page says nothing about the other pages, so only a list of one page is requested with it.
        // `swap` removes it until this list has arrived, so a cancelled call leaves none.
        let known = self.pending_etag.swap(None);
        let mut etag = None;
        let mut pages = 0;
        while let Some(url) = next.take() {
            pages += 1;
            if pages > MAX_PAGES {
                return Err(Error::unavailable(format!(
                    "{PENDING}: the list of the control plane at {} has more than {MAX_PAGES} pages",
                    self.api.address()
                )));
            }
            let known = known.as_deref().filter(|_| pages == 1);
            let page: ChangeList = match self.api.get_conditional(&call, url.clone(), known).await {
                Ok(Conditional::NotModified) => {
                    self.pending_etag.store(known.cloned().map(Arc::new));
                    return Ok(Pending::Unchanged);
                }
                Ok(Conditional::Modified(page, headers)) => {
                    etag = headers.get(ETAG).cloned();
                    page
                }
                Err(error) => return Err(no_such_gateway(error)),
            };
            list.add(self.api.address(), &page)?;
            let link = page.links.and_then(|links| links.next).filter(|link| !link.trim().is_empty());
            next =
                link.map(|link| same_origin_url(PENDING, self.api.configured(), &url, &link)).transpose()?;
        }
        let ours = self.for_this_gateway(&credential, list.oldest_first());
        self.pending_etag.store(etag.filter(|_| pages == 1).map(Arc::new));
        Ok(Pending::Changes(ours))
    }

    /// Returns the changes that are for this gateway. The others are neither acknowledged nor applied.
    fn for_this_gateway(&self, credential: &Credential, listed: Vec<Listed>) -> Vec<ChangeHead> {
        let own = self.credentials.gateway_of(credential);
        let (mut ours, withheld, shown) = separate(own.as_deref(), listed);
        if let Shown::Gateway(id) = shown {
            self.credentials.learned(credential, &id);
        }
        let mut reason = withheld.reason(own.as_deref());
        let mut foreign = self.foreign.lock().unwrap_or_else(PoisonError::into_inner);
        foreign.retain(|id, _| ours.iter().any(|head| head.id == *id));
        ours.retain(|head| !foreign.contains_key(&head.id));
        reason = reason.or_else(|| foreign.values().next().cloned());
        if let Some(reason) = &reason {
            tracing::warn!(reason, "the list has changes that are not for this gateway");
        }
        self.withheld.store(reason.map(Arc::new));
        ours
    }

    async fn detail(&self, action: &str, id: &ChangeId) -> Result<Change> {
        let credential = self.credential().await?;
        let call = self.call(action, Purpose::Gateway, &credential).for_document();
        let url = self.api.url(&call, "harmony/change", &[id.as_str()]).await?;
        let (answer, _): (ChangeDetail, _) = self.api.get(&call, url).await?;
        let change = answer.data;
        if change.id != id.as_str() {
            return Err(Error::invalid(format!(
                "{action}: the control plane at {} sent a different change",
                self.api.address()
            )));
        }
        let own = self.credentials.gateway_of(&credential);
        if let (Some(own), Some(other)) =
            (&own, change.gateway().filter(|gateway| own.as_deref() != Some(*gateway)))
        {
            // Unavailable, since every other error rejects the change, and its verdict would be reported.
            let message = format!(
                "{action}: the change is for another gateway, `{}`, not for this one, `{own}`; it is not taken",
                other.escape_debug().take(40).collect::<String>()
            );
            let mut foreign = self.foreign.lock().unwrap_or_else(PoisonError::into_inner);
            foreign.insert(id.clone(), message.clone());
            return Err(Error::unavailable(message));
        }
        let document = change.toml_config.filter(|text| !text.trim().is_empty());
        let document =
            document.ok_or_else(|| Error::invalid(format!("{action}: the change has no `toml_config`")))?;
        let kind = DocumentKind::from(change.kind.as_str());
        let mut attachments = Vec::new();
        if kind == DocumentKind::Pipeline {
            let needed = required_transforms(&document);
            if needed.len() > MAX_TRANSFORMS {
                let message = format!(
                    "{action}: the pipeline needs {} transforms; the maximum is {MAX_TRANSFORMS}",
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

    /// Fetches a transform that a pipeline needs. NotFound and Denied are final: the change is rejected.
    async fn transform(&self, id: &str, credential: &Credential) -> Result<Attachment> {
        let shown: String = id.escape_debug().take(80).collect();
        if !is_transform_id(id) {
            return Err(Error::invalid(format!(
                "`{shown}` is not the id of a transform (1 to 64 of A-Z, a-z, 0-9, _ and -)"
            )));
        }
        let action = format!("fetching the transform {shown} of the pipeline");
        let call = self.call(&action, Purpose::Resource, credential).for_document();
        let url = transform_url(self.api.base(&call).await?, id);
        let (answer, _): (TransformAnswer, _) = self.api.get(&call, url).await?;
        let content = answer.data.options.instructions;
        match content.trim().is_empty() {
            true => Err(missing_field(&action, self.api.address(), "instructions")),
            false => Ok(Attachment { name: id.to_owned(), content }),
        }
    }
}

/// Returns the URL of a transform. Transforms are below `/api` of the API's base URL, which may itself end in
/// `/api`.
fn transform_url(base: &Url, id: &str) -> Url {
    let ends_in_api = base.path().trim_end_matches('/').rsplit('/').next() == Some("api");
    append_path(base, if ends_in_api { "transforms" } else { "api/transforms" }, &[id])
}

/// The changes of the pages read so far, newest first.
#[derive(Default)]
struct List {
    heads: Vec<Listed>,
    seen: BTreeSet<ChangeId>,
}

impl List {
    fn add(&mut self, address: Address<'_>, page: &ChangeList) -> Result<()> {
        for change in &page.data {
            let head = change.head().ok_or_else(|| missing_field(PENDING, address, "id"))?;
            // A change that arrives between two pages moves the others down, so one is on both pages.
            if self.seen.insert(head.id.clone()) {
                self.heads.push((head, change.gateway().map(str::to_owned)));
            }
        }
        match self.heads.len() > MAX_CHANGES {
            true => Err(Error::unavailable(format!(
                "{PENDING}: the list of the control plane at {address} has more than {MAX_CHANGES} changes"
            ))),
            false => Ok(()),
        }
    }

    /// Returns the changes, oldest first.
    ///
    /// The order is by `created_at` if every change has one. The order of the list is not enough: in a list that is
    /// sorted differently, an old version would be applied last.
    fn oldest_first(mut self) -> Vec<Listed> {
        self.heads.reverse();
        let created_at = |(head, _): &Listed| head.created_at.as_deref()?.parse::<jiff::Timestamp>().ok();
        if self.heads.iter().all(|head| created_at(head).is_some()) {
            self.heads.sort_by_cached_key(created_at);
        }
        self.heads
    }
}

fn no_such_gateway(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unavailable => error,
        _ => Error::unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_sorted_oldest_first() {
        let order = |all: &[(&str, Option<&str>)]| {
            let data: Vec<_> = all
                .iter()
                .map(|(id, created)| serde_json::json!({ "id": id, "type": "mesh", "created_at": created }))
                .collect();
            let page = serde_json::from_value(serde_json::json!({ "data": data })).unwrap();
            let mut list = List::default();
            let url = Url::parse("https://a.example").unwrap();
            list.add(Address(&url), &page).unwrap();
            list.oldest_first().iter().map(|(head, _)| head.id.to_string()).collect::<String>()
        };
        let (early, late) = (Some("2026-01-01T00:00:00Z"), Some("2026-01-01T02:00:00+01:00"));
        assert_eq!(order(&[("c", late), ("b", early), ("a", early)]), "abc");
        assert_eq!(order(&[("a", early), ("c", late)]), "ac");
        // Without a usable `created_at` in every change, the list is reversed.
        assert_eq!(order(&[("a", early), ("c", late), ("d", None)]), "dca");
        assert_eq!(order(&[("a", early), ("c", Some("soon"))]), "ca");
    }

    #[test]
    fn transforms_are_below_api() {
        let url = |base: &str| transform_url(&Url::parse(base).unwrap(), "01H").to_string();
        assert_eq!(url("https://a/"), "https://a/api/transforms/01H");
        assert_eq!(url("https://a/api"), "https://a/api/transforms/01H");
        assert_eq!(url("https://a/x/api/"), "https://a/x/api/transforms/01H");
        assert_eq!(url("https://a/napi"), "https://a/napi/api/transforms/01H");
    }
}
