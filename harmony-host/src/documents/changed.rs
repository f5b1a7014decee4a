//! The files in which two trees differ, by name.

use std::cmp::Ordering;

use crate::documents::{Document, Documents};

/// A file that differs, in both trees.
pub(crate) type ChangedFile<'t> = (&'t str, Option<&'t Document>, Option<&'t Document>);

impl Documents {
    /// Returns the files whose content or layer differs from those of `before`, sorted by name. What both trees share is not
    /// looked into.
    pub(crate) fn changed_files<'t>(&'t self, before: &'t Self) -> Vec<ChangedFile<'t>> {
        let (mut old, mut new) = (before.files.iter().peekable(), self.files.iter().peekable());
        let mut changed = Vec::new();
        loop {
            let order = match (old.peek(), new.peek()) {
                (Some((_, old)), Some((_, new))) if std::sync::Arc::ptr_eq(old, new) => Ordering::Equal,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return changed,
            };
            let was = old.next_if(|_| order.is_le());
            let is = new.next_if(|_| order.is_ge());
            let Some((name, _)) = was.or(is) else { return changed };
            let (was, is) = (was.map(|(_, file)| file), is.map(|(_, file)| file));
            let is_same = was.zip(is).is_some_and(|(was, is)| {
                std::sync::Arc::ptr_eq(was, is) || was.digest == is.digest && was.overlay == is.overlay
            });
            if !is_same {
                changed.push((name.as_str(), was.map(|file| &**file), is.map(|file| &**file)));
            }
        }
    }

    /// Returns the text of a document; `None` for a key or certificate.
    pub(crate) fn text_of(document: &Document) -> Option<&str> {
        match &document.content {
            crate::documents::Content::Toml(fragment) => Some(fragment.source.text()),
            crate::documents::Content::Transform(source) => Some(source.text()),
            crate::documents::Content::Pem(_) => None,
        }
    }
}
