//! The triggers of an apply.

/// The event that made the applier read the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A user requested a reload, or the gateway starts.
    Requested,
    /// A file changed.
    Edit,
    /// The poll interval passed. Polls catch edits for which no event arrives.
    Poll,
}
