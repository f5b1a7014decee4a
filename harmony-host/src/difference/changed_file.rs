//! A file that differs.

use crate::documents::Document;

/// A file that differs: its name, and its content in both configurations.
pub(super) type ChangedFile<'a> = (&'a str, Option<&'a Document>, Option<&'a Document>);
