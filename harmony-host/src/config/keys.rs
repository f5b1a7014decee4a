//! The table of keys: the type and the effect of every key in the sections that this host reads.
//!
//! The check of files, suggestions for misspelled keys, masking, pushing, the limits of a control plane and the JSON Schema
//! all use this table. No other file defines these facts.

pub(crate) mod authority;
mod check;
pub(crate) mod key;
#[cfg(feature = "gateway")]
mod markdown;
mod meant;
mod provider_key;
mod resemblance;
mod schema;
pub(crate) mod secrets;
mod section_names;
pub(crate) mod sections;
mod spelling;
mod strays;
mod unknown;

pub(crate) use check::check;
#[cfg(feature = "gateway")]
pub(crate) use markdown::markdown;
pub(crate) use meant::meant_of;
#[cfg(feature = "gateway")]
pub(crate) use schema::json_schema;
pub(crate) use spelling::nearest;
pub(crate) use unknown::UnknownKey;

/// Returns the options in the table that this host does not serve, of a section such as `middleware.*`.
pub(crate) fn unserved_options(section: &str) -> impl Iterator<Item = &'static str> {
    let keys =
        sections::SECTIONS.iter().find(|known| known.path == section).map_or(&[][..], |known| known.keys);
    let unserved = keys.iter().filter(|key| key.effect == key::Effect::NotServed);
    unserved.filter_map(|key| key.name.strip_prefix("options.")).filter(|name| !name.contains('.'))
}

/// Returns whether the tables below `top` are sections with names that people choose, such as those of `targets`.
pub(crate) fn is_named_section(top: &str) -> bool {
    let name = |path: &'static str| path.strip_suffix(".*");
    sections::SECTIONS.iter().any(|section| name(section.path) == Some(top))
}

#[cfg(test)]
mod conformance;
