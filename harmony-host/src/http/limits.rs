//! The limits of the head of a message, the same for requests and responses, over HTTP/1 and HTTP/2.

/// The maximum size of the head of a request, in bytes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The maximum number of headers. FHIR servers and firewalls in front of them send more than the 100 that are usual as a
/// limit.
pub(crate) const MAX_HEADERS: usize = 500;

/// The maximum size of a list of headers over HTTP/2, which counts 32 bytes more for each (RFC 9113, section 6.5.2).
pub(crate) const MAX_HEADER_LIST_BYTES: u32 = (MAX_HEAD_BYTES + 32 * MAX_HEADERS) as u32;
