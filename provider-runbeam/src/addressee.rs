//! The gateway that a change is for: this one, or another.

use std::collections::{BTreeMap, BTreeSet};

use provider_api::{ChangeHead, ChangeId};

/// The most ids that one message names.
const NAMED: usize = 3;

/// The changes of a list that are not for this gateway, and the reason why they, or all changes, are withheld.
///
/// A machine token may see the changes of more than one gateway. A change that is acknowledged is never offered to the
/// gateway that it is for, and one that is applied here configures this gateway as another one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Withheld {
    foreign: BTreeMap<ChangeId, String>,
    ambiguous: BTreeSet<String>,
}

/// A listed change, and the gateway that it is for, if the control plane says it.
pub(crate) type Listed = (ChangeHead, Option<String>);

/// The gateway that a token is for, as far as its list shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Nothing new.
    Nothing,
    /// A bare token sees the changes of this gateway only, so it is this gateway's.
    Gateway(String),
}

/// Separates the changes for the gateway `own` from those for others. `own` is `None` for a bare token whose gateway is
/// not known: a list with changes for several gateways does not say which it is, so none of them is taken.
pub(crate) fn separate(own: Option<&str>, listed: Vec<Listed>) -> (Vec<ChangeHead>, Withheld, Shown) {
    let named: BTreeSet<&str> = listed.iter().filter_map(|(_, gateway)| gateway.as_deref()).collect();
    let only = match (own, named.len()) {
        (Some(own), _) => Some(own.to_owned()),
        (None, 1) => named.first().map(|id| (*id).to_owned()),
        (None, _) => None,
    };
    let mut withheld = Withheld::default();
    if only.is_none() && named.len() > 1 {
        withheld.ambiguous = named.into_iter().map(str::to_owned).collect();
        return (Vec::new(), withheld, Shown::Nothing);
    }
    let mut ours = Vec::with_capacity(listed.len());
    for (head, gateway) in listed {
        match gateway.filter(|gateway| only.as_deref() != Some(gateway)) {
            Some(other) => {
                withheld.foreign.insert(head.id, other);
            }
            None => ours.push(head),
        }
    }
    let shown = match (own, only) {
        (None, Some(id)) => Shown::Gateway(id),
        _ => Shown::Nothing,
    };
    (ours, withheld, shown)
}

impl Withheld {
    /// Returns the reason in one sentence; `None` if nothing is withheld.
    pub(crate) fn reason(&self, own: Option<&str>) -> Option<String> {
        let quoted = |ids: &mut dyn Iterator<Item = &str>| {
            let all: Vec<String> = ids.map(|id| format!("`{}`", shown(id))).collect();
            let more = all.len().saturating_sub(NAMED);
            let first = all.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
            if more == 0 { first } else { format!("{first} and {more} more") }
        };
        if !self.ambiguous.is_empty() {
            let gateways = quoted(&mut self.ambiguous.iter().map(String::as_str));
            return Some(format!(
                "the machine token has no gateway id, and the control plane lists changes for several gateways ({gateways}), so \
                 none is taken; authorize this gateway, or set RUNBEAM_MACHINE_TOKEN to a JSON object with `gateway_id`"
            ));
        }
        let gateways: BTreeSet<&str> = self.foreign.values().map(String::as_str).collect();
        let changes = match self.foreign.len() {
            0 => return None,
            1 => "1 change".to_owned(),
            n => format!("{n} changes"),
        };
        Some(format!(
            "the control plane lists {changes} for another gateway ({}), not for this one{}: not taken: {}; use a machine token \
             of this gateway only",
            quoted(&mut gateways.into_iter()),
            own.map_or_else(String::new, |own| format!(", `{}`", shown(own))),
            quoted(&mut self.foreign.keys().map(ChangeId::as_str)),
        ))
    }
}

/// Returns an id of the control plane in a form that a message can have.
fn shown(id: &str) -> String {
    id.escape_debug().take(40).collect()
}

#[cfg(test)]
mod tests {
    use provider_api::DocumentKind;

    use super::*;

    fn listed(all: &[(&str, Option<&str>)]) -> Vec<Listed> {
        let head = |id: &str| ChangeHead {
            id: ChangeId::new(id).unwrap(),
            kind: DocumentKind::Mesh,
            created_at: None,
        };
        all.iter().map(|(id, gateway)| (head(id), gateway.map(str::to_owned))).collect()
    }

    fn taken(own: Option<&str>, all: &[(&str, Option<&str>)]) -> (String, Option<String>, Shown) {
        let (ours, withheld, shown) = separate(own, listed(all));
        (ours.iter().map(|head| head.id.as_str()).collect(), withheld.reason(own), shown)
    }

    #[test]
    fn changes_of_another_gateway_are_withheld() {
        let (ours, reason, shown) = taken(Some("g1"), &[("a", Some("g1")), ("b", Some("g2")), ("c", None)]);
        assert_eq!((ours.as_str(), shown), ("ac", Shown::Nothing));
        let reason = reason.unwrap();
        for part in ["1 change", "`g2`", "`g1`", "`b`"] {
            assert!(reason.contains(part), "{reason}");
        }
        assert_eq!(taken(Some("g1"), &[("a", Some("g1"))]).1, None);
    }

    #[test]
    fn bare_token_is_of_the_only_gateway() {
        let learned = Shown::Gateway("g1".to_owned());
        assert_eq!(taken(None, &[("a", Some("g1")), ("b", None)]), ("ab".to_owned(), None, learned));
        assert_eq!(taken(None, &[("a", None)]), ("a".to_owned(), None, Shown::Nothing));
        let (ours, reason, shown) = taken(None, &[("a", Some("g1")), ("b", Some("g2")), ("c", None)]);
        assert_eq!((ours.as_str(), shown), ("", Shown::Nothing));
        assert!(reason.unwrap().contains("several gateways (`g1`, `g2`)"));
    }
}
