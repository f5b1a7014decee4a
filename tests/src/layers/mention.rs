//! An unresolved path in the source text.

/// A path in a file, in segments, before it is resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mention {
    /// The segments, including `crate`, `self` and `super`.
    pub(super) path: Vec<String>,
    pub(super) kind: Kind,
}

/// The place of a path in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// In a private `use`.
    Import,
    /// In a `use` that other modules can see.
    ReExport,
    /// In code or in the tokens of a macro. Such a path ends in a type, a value or a macro, not in a module.
    Code,
}
