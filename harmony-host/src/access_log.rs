//! The access log: one line for each request, written by a thread of its own.

mod entry;
mod format;
mod output;
mod queue;
mod writer;

pub(crate) use entry::Entry;
pub(crate) use format::Format;
pub(crate) use output::Target;
pub(crate) use writer::AccessLog;
