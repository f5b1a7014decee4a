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
    /// Set when the key protects something: a misspelling of it is rejected even where unknown keys are allowed.
    pub(crate) guards: bool,
    /// The meaning, in one sentence for people.
    pub(crate) doc: &'static str,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// One of these texts.
    Words(&'static [&'static str]),
    Flag,
    /// A whole number, from the first to the second.
    Integer(u64, u64),
    /// A list of texts.
    Texts,
    /// A list of texts, or a table with a list for each side.
    Sides,
    /// A table, whose keys are in the table of keys too.
    Table,
    /// A table with any keys.
    Map,
    /// A list of tables.
    Tables,
}

/// The effect of a key in this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The host does what the key says.
    Served,
    /// The pipeline that needs it is answered 501, or the network is not opened.
    NotServed,
    /// No effect: the value is only checked.
    None,
    /// Rejected: the key protects or decides where requests go, and this host cannot do it.
    Unsupported,
}

impl Key {
    const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, effect: Effect::Served, secret: false, guards: false, doc }
    }

    /// The same key, whose value is a secret.
    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The same key, which protects something.
    pub(super) const fn guards(mut self) -> Self {
        self.guards = true;
        self
    }

    /// The same key, for what this host does not serve.
    pub(super) const fn not_served(mut self) -> Self {
        self.effect = Effect::NotServed;
        self
    }

    /// The same key, which this host rejects because ignoring it would open or redirect something.
    pub(super) const fn unsupported(mut self) -> Self {
        self.effect = Effect::Unsupported;
        self
    }

    /// The same key, without effect in this host.
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
