//! Reasons for which a configuration is tried.

/// The reason for which a configuration is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Somebody asked for it.
    Asked,
    /// A file changed.
    Edit,
    /// It was time for the slow look that catches what no event told.
    Poll,
}
