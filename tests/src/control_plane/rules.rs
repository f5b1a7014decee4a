//! The rules of fault injection: matching requests and counting hits.

use super::faults::When;

/// The id of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(u64);

/// The properties of a request that a rule compares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestInfo<'a> {
    pub(crate) method: &'a str,
    /// The path without `/api` prefixes.
    pub(crate) route: &'a str,
    pub(crate) gateway_id: Option<&'a str>,
}

/// The effect of a fault on a request.
pub(crate) trait Effect: Clone {
    /// Returns true if the fault only delays the request, so that another one may follow.
    fn is_delay(&self) -> bool;
}

/// The injected faults, in the order in which they were added.
#[derive(Debug)]
pub(crate) struct Rules<F> {
    rules: Vec<Rule<F>>,
    next: u64,
}

#[derive(Debug)]
struct Rule<F> {
    id: RuleId,
    when: When,
    fault: F,
    hits: usize,
}

impl<F: Effect> Rules<F> {
    pub(crate) fn add(&mut self, when: When, fault: F) -> RuleId {
        let id = RuleId(self.next);
        self.next += 1;
        self.rules.push(Rule { id, when, fault, hits: 0 });
        id
    }

    pub(crate) fn remove(&mut self, id: RuleId) {
        self.rules.retain(|rule| rule.id != id);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn hits(&self, id: RuleId) -> usize {
        self.rules.iter().find(|rule| rule.id == id).map_or(0, |rule| rule.hits)
    }

    pub(crate) fn exists(&self, id: RuleId) -> bool {
        self.rules.iter().any(|rule| rule.id == id)
    }

    /// Returns the faults for a request: all delays that match, then the first other fault that matches.
    pub(crate) fn take_matching(&mut self, request: &RequestInfo<'_>) -> Vec<(RuleId, F)> {
        let mut matched = Vec::new();
        let mut decided = false;
        for rule in &mut self.rules {
            let is_delay = rule.fault.is_delay();
            if (decided && !is_delay) || !rule.when.matches(request) {
                continue;
            }
            decided |= !is_delay;
            rule.hits += 1;
            matched.push((rule.id, rule.fault.clone()));
        }
        matched.sort_by_key(|(_, fault)| !fault.is_delay());
        matched
    }
}

impl<F> Default for Rules<F> {
    fn default() -> Self {
        Self { rules: Vec::new(), next: 0 }
    }
}
