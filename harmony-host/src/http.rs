//! Parts of HTTP that routing, admission and the data plane share.

pub(crate) mod body;
pub(crate) mod path;
pub(crate) mod url_prefix;
