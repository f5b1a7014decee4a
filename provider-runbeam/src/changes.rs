//! Pending changes: the list, one change with its transforms, and reports.

use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError};

use provider_api::{
    Attachment, Cadence, Change, ChangeHead, ChangeId, ChangeStatus, ConfigSource, DocumentKind, Error,
    ErrorKind, Pending, Result, async_trait,
};
use reqwest::header::ETAG;

use crate::addressee::{Shown, separate};
use crate::api::{Conditional, missing_field};
use crate::credential::Credential;
use crate::list::List;
use crate::purpose::Purpose;
use crate::runbeam::Runbeam;
use crate::transforms::{is_transform_id, required_transforms};
use crate::urls::{below_api, same_origin_url};
use crate::wire::{ChangeDetail, ChangeList, TransformAnswer};

/// The maximum number of pages of a list, against a control plane whose pages link to each other in a loop.
const MAX_PAGES: usize = 100;

/// The number of calls that are under way at the same time. A control plane 40 ms away then takes 800 calls a second.
const PARALLELISM: NonZeroUsize = match NonZeroUsize::new(32) {
    Some(calls) => calls,
    None => NonZeroUsize::MIN,
};

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

    fn parallelism(&self) -> NonZeroUsize {
        PARALLELISM
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
            list.add(&page.data).map_err(|problem| {
                Error::unavailable(format!("{PENDING}: {problem}, at {}", self.api.address()))
            })?;
            next = page
                .next
                .map(|link| same_origin_url(PENDING, self.api.configured(), &url, &link))
                .transpose()?;
        }
        if let Some(reason) = list.unreadable() {
            return Err(Error::unavailable(format!(
                "{PENDING}: nothing in the list of the control plane at {} can be read: {reason}",
                self.api.address()
            )));
        }
        let ours = self.for_this_gateway(&credential, list);
        self.pending_etag.store(etag.filter(|_| pages == 1).map(Arc::new));
        Ok(Pending::Changes(ours))
    }

    /// Returns the changes that are for this gateway, oldest first. The others are neither acknowledged nor applied.
    fn for_this_gateway(&self, credential: &Credential, list: List) -> Vec<ChangeHead> {
        let (listed, unusable) = list.oldest_first();
        let own = self.credentials.gateway_of(credential);
        let (mut ours, withheld, shown) = separate(own.as_deref(), listed);
        if let Shown::Gateway(id) = shown {
            self.credentials.learned(credential, &id);
        }
        let mut withheld = withheld.reason(own.as_deref());
        let mut foreign = self.foreign.lock().unwrap_or_else(PoisonError::into_inner);
        foreign.retain(|id, _| ours.iter().any(|head| head.id == *id));
        ours.retain(|head| !foreign.contains_key(&head.id));
        withheld = withheld.or_else(|| foreign.values().next().cloned());
        let reasons: Vec<String> = withheld.into_iter().chain(unusable.reason()).collect();
        for reason in &reasons {
            tracing::warn!(reason, "the list has changes that are not taken");
        }
        self.withheld.store((!reasons.is_empty()).then(|| Arc::new(reasons.join("; "))));
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
        let url = below_api(self.api.base(&call).await?, "transforms", &[id]);
        let (answer, _): (TransformAnswer, _) = self.api.get(&call, url).await?;
        let content = answer.data.options.instructions;
        match content.trim().is_empty() {
            true => Err(missing_field(&action, self.api.address(), "instructions")),
            false => Ok(Attachment { name: id.to_owned(), content }),
        }
    }
}

fn no_such_gateway(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unavailable => error,
        _ => Error::unavailable(error.to_string()),
    }
}
