//! A path as a file writes it.

/// A path that a file mentions, in segments, before it is resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mention {
    /// The segments; `crate`, `self` and `super` stand as they are written.
    pub(super) path: Vec<String>,
    pub(super) kind: Kind,
}

/// The place where a path stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// In a private `use`.
    Import,
    /// In a `use` that others can see.
    ReExport,
    /// In code or in the tokens of a macro. Such a path ends in a type, a value or a macro, not in a module.
    Code,
}
