//! References to resources.

/// A parsed reference to a resource of this control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) provider: String,
    pub(super) team: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) wanted: Wanted,
}

/// The key of the resource: its id or its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Id(String),
    Name(String),
}

const KINDS: [&str; 6] = ["ingress", "egress", "pipeline", "endpoint", "backend", "mesh"];

impl Reference {
    /// Parses one of the remote forms.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('.').collect();
        if parts.iter().any(|part| part.trim().is_empty() || part.trim() != *part) {
            return Err(format!("`{text}` has a blank part"));
        }
        let (provider, team, kind, wanted) = match parts[..] {
            ["local", ..] | [_] => return Err(format!("`{text}` is local: only the gateway can resolve it")),
            [provider, "id", id] => (provider, None, None, Wanted::Id(id.to_owned())),
            [provider, team, "id", id] => (provider, Some(team), None, Wanted::Id(id.to_owned())),
            [provider, team, kind, "id", id] => (provider, Some(team), Some(kind), Wanted::Id(id.to_owned())),
            [provider, team, kind, "name", name] => {
                (provider, Some(team), Some(kind), Wanted::Name(name.to_owned()))
            }
            _ => return Err(format!("`{text}` is not a reference")),
        };
        if let Some(kind) = kind
            && !KINDS.contains(&kind)
        {
            return Err(format!("`{kind}` is not a resource type; the types are {}", KINDS.join(", ")));
        }
        Ok(Self {
            provider: provider.to_owned(),
            team: team.map(str::to_owned),
            kind: kind.map(str::to_owned),
            wanted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Reference, Wanted};

    #[test]
    fn every_remote_form_parses() {
        let full = Reference::parse("runbeam.partner.ingress.name.their-api").unwrap();
        assert_eq!(full.team.as_deref(), Some("partner"));
        assert_eq!(full.kind.as_deref(), Some("ingress"));
        assert_eq!(full.wanted, Wanted::Name("their-api".to_owned()));
        for form in ["runbeam.id.01H", "runbeam.partner.id.01H", "runbeam.partner.mesh.id.01H"] {
            assert_eq!(Reference::parse(form).unwrap().wanted, Wanted::Id("01H".to_owned()), "{form}");
        }
    }

    #[test]
    fn other_forms_are_rejected() {
        let invalid = [
            "",
            "api",
            "local.name.api",
            "runbeam.name.api",
            "runbeam.t.name.api",
            "runbeam.t.router.name.x",
            "runbeam.t.ingress.code.x",
            "runbeam..id.x",
            "runbeam.id. ",
            "a.b.c.d.e.f",
        ];
        for reference in invalid {
            assert!(Reference::parse(reference).is_err(), "{reference}");
        }
    }
}
