//! References to resources, and their grammar.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::is_slug;
use crate::{InvalidName, ProviderName, ResourceType};

/// A reference to a resource of this or another gateway or team.
///
/// ```text
/// <name>                                  the same as local.name.<name>
/// local.name.<name>
/// <provider>.id.<id>
/// <provider>.<team>.id.<id>
/// <provider>.<team>.<type>.name.<name>
/// <provider>.<team>.<type>.id.<id>
/// ```
///
/// `type` is one of ingress, egress, pipeline, endpoint, backend, mesh. Names and teams consist of
/// `a-z 0-9 _ -`, ids of `A-Z a-z 0-9 _ -`. A reference has at most [`Reference::MAX_LEN`] bytes.
/// `Display` writes the canonical form, which parses to an equal reference.
///
/// ```
/// use provider_api::{Reference, ResourceType};
///
/// let reference: Reference = "runbeam.acme.ingress.name.fhir-api".parse()?;
/// assert_eq!(reference.provider().as_str(), "runbeam");
/// assert_eq!(reference.team(), Some("acme"));
/// assert_eq!(reference.resource_type(), Some(ResourceType::Ingress));
/// assert_eq!("fhir-api".parse::<Reference>()?.to_string(), "local.name.fhir-api");
/// # Ok::<(), provider_api::InvalidReference>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    provider: ProviderName,
    scope: Scope,
    key: ResourceKey,
}

/// The set of resources in which a reference is resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All resources of the provider.
    Provider,
    /// The resources of one team.
    Team(String),
    /// The resources of one type and one team.
    Typed(String, ResourceType),
}

/// The name or the id in the last two segments of a reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKey {
    /// A name, written `name.<name>`.
    Name(String),
    /// An id, written `id.<id>`.
    Id(String),
}

/// The error of parsing a [`Reference`]: the part that is wrong, and the expected form of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidReference {
    given: String,
    part: &'static str,
    expected: String,
}

impl Reference {
    /// The maximum length in bytes.
    pub const MAX_LEN: usize = 512;

    /// Creates the reference `local.name.<name>`.
    ///
    /// # Errors
    /// Fails when `name` is empty, too long or contains other characters than `a-z 0-9 _ -`.
    pub fn local(name: &str) -> Result<Self, InvalidReference> {
        format!("local.name.{name}").parse()
    }

    /// Returns the provider that resolves the reference.
    pub fn provider(&self) -> &ProviderName {
        &self.provider
    }

    /// Returns the set of resources in which the reference is resolved.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Returns the name or the id of the resource.
    pub fn key(&self) -> &ResourceKey {
        &self.key
    }

    /// Returns the team, if the reference names one.
    pub fn team(&self) -> Option<&str> {
        match &self.scope {
            Scope::Provider => None,
            Scope::Team(team) | Scope::Typed(team, _) => Some(team),
        }
    }

    /// Returns the resource type, if the reference names one.
    pub fn resource_type(&self) -> Option<ResourceType> {
        match &self.scope {
            Scope::Typed(_, kind) => Some(*kind),
            _ => None,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.provider)?;
        match &self.scope {
            Scope::Provider => {}
            Scope::Team(team) => write!(f, "{team}.")?,
            Scope::Typed(team, kind) => write!(f, "{team}.{kind}.")?,
        }
        match &self.key {
            ResourceKey::Name(name) => write!(f, "name.{name}"),
            ResourceKey::Id(id) => write!(f, "id.{id}"),
        }
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        parse(text).map_err(|Mismatch(part, expected)| InvalidReference {
            // A message must not carry an input of any length into a log.
            given: text.chars().take(80).collect(),
            part,
            expected,
        })
    }
}

/// The part that is wrong, and its expected form.
struct Mismatch(&'static str, String);

fn parse(text: &str) -> Result<Reference, Mismatch> {
    if text.len() > Reference::MAX_LEN {
        let expected = format!("at most {} bytes, got {}", Reference::MAX_LEN, text.len());
        return Err(Mismatch("length", expected));
    }
    let segments: Vec<&str> = text.split('.').collect();
    let (provider, scope, key) = match *segments.as_slice() {
        [name] | ["local", "name", name] => {
            (ProviderName::local(), Scope::Provider, ResourceKey::Name(slug("name", name)?))
        }
        [from, "name", _] => {
            let form = format!("a team and a type before `name`, as in {from}.<team>.ingress.name.<name>");
            return Err(Mismatch("team", format!("{form}; only `local` works without them")));
        }
        [from, "id", key] => (provider(from)?, Scope::Provider, id(key)?),
        [from, team, "id", key] => (provider(from)?, Scope::Team(slug("team", team)?), id(key)?),
        [_, _, "name", _] => {
            let expected = "a type before `name`, as in <provider>.<team>.ingress.name.<name>";
            return Err(Mismatch("type", expected.to_owned()));
        }
        [from, team, kind, by @ ("name" | "id"), key] => {
            let (provider, team, kind) = (provider(from)?, slug("team", team)?, resource_type(kind)?);
            let key = if by == "id" { id(key)? } else { ResourceKey::Name(slug("name", key)?) };
            (provider, Scope::Typed(team, kind), key)
        }
        [_, _, _, other, _] => {
            let expected = format!("`name` or `id` before the last part, got `{}`", other.escape_debug());
            return Err(Mismatch("key", expected));
        }
        _ => {
            let expected = "<name>, local.name.<name>, <provider>.id.<id>, <provider>.<team>.id.<id>, \
                            <provider>.<team>.<type>.name.<name> or <provider>.<team>.<type>.id.<id>";
            return Err(Mismatch("form", expected.to_owned()));
        }
    };
    Ok(Reference { provider, scope, key })
}

fn provider(given: &str) -> Result<ProviderName, Mismatch> {
    given.parse().map_err(|error: InvalidName| Mismatch("provider", error.to_string()))
}

fn slug(part: &'static str, given: &str) -> Result<String, Mismatch> {
    match is_slug(given) {
        true => Ok(given.to_owned()),
        false => Err(Mismatch(part, format!("a-z, 0-9, _ and -, got `{}`", given.escape_debug()))),
    }
}

fn id(given: &str) -> Result<ResourceKey, Mismatch> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    match !given.is_empty() && given.bytes().all(allowed) {
        true => Ok(ResourceKey::Id(given.to_owned())),
        false => Err(Mismatch("id", format!("letters, digits, _ and -, got `{}`", given.escape_debug()))),
    }
}

fn resource_type(given: &str) -> Result<ResourceType, Mismatch> {
    let types = || ResourceType::ALL.map(ResourceType::as_str).join(", ");
    given.parse().map_err(|()| Mismatch("type", format!("{}, got `{}`", types(), given.escape_debug())))
}

impl TryFrom<String> for Reference {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, InvalidReference> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl InvalidReference {
    /// Returns the part that is wrong: length, form, provider, team, type, key, name or id.
    pub fn part(&self) -> &'static str {
        self.part
    }

    /// Returns the expected form of that part.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

impl fmt::Display for InvalidReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { given, part, expected } = self;
        write!(f, "`{}` is not a resource reference: {part}: expected {expected}", given.escape_debug())
    }
}

impl std::error::Error for InvalidReference {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_six_forms_parse() {
        for (text, canonical) in [
            ("fhir-api", "local.name.fhir-api"),
            ("local.name.fhir-api", "local.name.fhir-api"),
            ("runbeam.id.01HX", "runbeam.id.01HX"),
            ("runbeam.acme.id.01HX", "runbeam.acme.id.01HX"),
            (
                "runbeam.acme-healthcare.ingress.name.fhir-api",
                "runbeam.acme-healthcare.ingress.name.fhir-api",
            ),
            ("runbeam.acme.mesh.id.01HX", "runbeam.acme.mesh.id.01HX"),
        ] {
            assert_eq!(text.parse::<Reference>().map(|r| r.to_string()).as_deref(), Ok(canonical));
        }
    }

    #[test]
    fn an_error_names_the_wrong_part() {
        for (text, part) in [
            ("", "name"),
            ("Upper", "name"),
            ("runbeam.name.x", "team"),
            ("runbeam.acme.name.x", "type"),
            ("runbeam.acme.socket.name.x", "type"),
            ("runbeam.acme.ingress.title.x", "key"),
            ("runbeam.acme.ingress.name.", "name"),
            ("Run.acme.ingress.name.x", "provider"),
            ("runbeam.Acme.ingress.name.x", "team"),
            ("runbeam.id.a/b", "id"),
            ("a.b", "form"),
            ("a.b.c.d.e.f", "form"),
            ("../../etc/passwd", "key"),
        ] {
            let error = text.parse::<Reference>().expect_err(text);
            assert_eq!(error.part(), part, "{text}: {error}");
            assert!(error.to_string().contains("expected"), "{error}");
        }
        assert_eq!("a".repeat(513).parse::<Reference>().expect_err("too long").part(), "length");
    }

    fn any_reference() -> impl Strategy<Value = String> {
        let slug = "[a-z0-9_-]{1,12}";
        let id = "[A-Za-z0-9_-]{1,26}";
        let kind = prop::sample::select(ResourceType::ALL.to_vec());
        prop_oneof![
            slug.prop_map(|n| n),
            slug.prop_map(|n| format!("local.name.{n}")),
            (slug, id).prop_map(|(p, i)| format!("{p}.id.{i}")),
            (slug, slug, id).prop_map(|(p, t, i)| format!("{p}.{t}.id.{i}")),
            (slug, slug, kind.clone(), slug).prop_map(|(p, t, k, n)| format!("{p}.{t}.{k}.name.{n}")),
            (slug, slug, kind, id).prop_map(|(p, t, k, i)| format!("{p}.{t}.{k}.id.{i}")),
        ]
    }

    proptest! {
        #[test]
        fn display_round_trips(text in any_reference()) {
            let reference: Reference = text.parse().expect("of the grammar");
            prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference.clone()));
            if text.contains('.') {
                prop_assert_eq!(reference.to_string(), text);
            }
        }

        #[test]
        fn any_text_fails_or_round_trips(text in any::<String>()) {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference));
            }
        }

        #[test]
        fn a_changed_character_fails_or_round_trips(
            text in any_reference(), at in any::<prop::sample::Index>(), with in any::<char>()
        ) {
            let mut chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len());
            chars[at] = with;
            let mutated: String = chars.into_iter().collect();
            if let Ok(reference) = mutated.parse::<Reference>() {
                prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference));
            }
        }
    }
}
