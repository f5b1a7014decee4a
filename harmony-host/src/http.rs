//! HTTP building blocks that routing, admission and the data plane share.

pub(crate) mod authority;
pub(crate) mod base_url;
#[cfg(feature = "gateway")]
pub(crate) mod body;
#[cfg(feature = "management")]
pub(crate) mod claims;
#[cfg(feature = "gateway")]
pub(crate) mod connection_info;
#[cfg(feature = "gateway")]
pub(crate) mod limits;
#[cfg(feature = "gateway")]
pub(crate) mod pace;
pub(crate) mod path;
#[cfg(feature = "gateway")]
pub(crate) mod query;
#[cfg(feature = "management")]
pub(crate) mod respond;
#[cfg(feature = "gateway")]
pub(crate) mod stall;
#[cfg(feature = "gateway")]
pub(crate) mod trailers;
#[cfg(feature = "gateway")]
pub(crate) mod tunnel;
#[cfg(feature = "gateway")]
pub(crate) mod upload;
pub(crate) mod url_prefix;
