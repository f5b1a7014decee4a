//! One key of the table.

/// A key of a section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// The name below the section, dotted: `content_limits.max_body_size`.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) effect: Effect,
    /// Set when the value is a secret: it is masked everywhere and never pushed.
    pub(crate) secret: bool,
    /// Set for a security-relevant key, which authenticates, restricts or routes requests. A likely misspelling of it is
    /// rejected even if unknown keys are allowed.
    pub(crate) guards: bool,
    /// The authority over the key; `None` for that of its section.
    pub(crate) authority: Option<Authority>,
    /// The description in the JSON Schema, in one sentence.
    pub(crate) doc: &'static str,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A string.
    Text,
    /// One of these strings.
    Words(&'static [&'static str]),
    /// A boolean.
    Flag,
    /// An integer from the first to the second value, both included.
    Integer(u64, u64),
    /// A list of strings.
    Texts,
    /// A list of strings, or a table with one list for requests and one for responses.
    Sides,
    /// A table whose keys have entries of their own.
    Table,
    /// A table with any keys.
    Map,
    /// A list of tables.
    Tables,
}

/// The effect of a key in this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The host applies the key.
    Served,
    /// Requests of a pipeline with the key are answered 501; a network with the key is not opened.
    NotServed,
    /// Without effect: the host only checks the value.
    None,
    /// Rejected: the key is security-relevant, and this host does not support it.
    Unsupported,
}

/// The authority over a key: the parties that may set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    /// The operator, and a change of a control plane.
    Shared,
    /// The operator only. Has the reason for rejecting a change that sets the key.
    Local(&'static str),
}

impl Key {
    const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, effect: Effect::Served, secret: false, guards: false, authority: None, doc }
    }

    /// Marks the value as a secret.
    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Marks the key as security-relevant.
    pub(super) const fn guards(mut self) -> Self {
        self.guards = true;
        self
    }

    /// Marks the key as one that no change of a control plane may set, for this reason.
    pub(super) const fn local(mut self, reason: &'static str) -> Self {
        self.authority = Some(Authority::Local(reason));
        self
    }

    /// Marks the key as one that a change of a control plane may set, in a section whose other keys are local.
    pub(super) const fn shared(mut self) -> Self {
        self.authority = Some(Authority::Shared);
        self
    }

    /// Marks the key as not served by this host.
    pub(super) const fn not_served(mut self) -> Self {
        self.effect = Effect::NotServed;
        self
    }

    /// Marks the key as rejected by this host: ignoring it could open or redirect a route.
    pub(super) const fn unsupported(mut self) -> Self {
        self.effect = Effect::Unsupported;
        self
    }

    /// Marks the key as without effect in this host.
    pub(super) const fn no_effect(mut self) -> Self {
        self.effect = Effect::None;
        self
    }
}

pub(super) const fn text(name: &'static str, doc: &'static str) -> Key {
    Key::new(name, Kind::Text, doc)
}

pub(super) const fn words(name: &'static str, words: &'static [&'static str], doc: &'static str) -> Key {
    Key::new(name, Kind::Words(words), doc)
}

pub(super) const fn flag(name: &'static str, doc: &'static str) -> Key {
    Key::new(name, Kind::Flag, doc)
}

pub(super) const fn integer(name: &'static str, least: u64, most: u64, doc: &'static str) -> Key {
    Key::new(name, Kind::Integer(least, most), doc)
}

pub(super) const fn texts(name: &'static str, doc: &'static str) -> Key {
    Key::new(name, Kind::Texts, doc)
}

pub(super) const fn sides(name: &'static str, doc: &'static str) -> Key {
    Key::new(name, Kind::Sides, doc)
}

pub(super) const fn table(name: &'static str, doc: &'static str) -> Key {
    Key::new(name, Kind::Table, doc)
}

pub(super) const fn map(name: &'static str, doc: &'static str) -> Key {
    Key::new(name, Kind::Map, doc)
}

pub(super) const fn tables(name: &'static str, doc: &'static str) -> Key {
    Key::new(name, Kind::Tables, doc)
}
