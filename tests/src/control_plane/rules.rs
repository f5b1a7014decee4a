use super::faults::When;

/// Names a rule that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(u64);

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    /// The path without `/api` prefixes.
    pub(crate) route: &'a str,
    pub(crate) gateway_id: Option<&'a str>,
}

/// What a request may meet with.
pub(crate) trait Strikes: Clone {
    /// Whether it only delays, so that another may strike as well.
    fn waits(&self) -> bool;
}

/// What is programmed to go wrong, in the order in which it was added.
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

impl<F: Strikes> Rules<F> {
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

    /// The faults for a request: everything that waits, and the first of the others.
    pub(crate) fn strike(&mut self, asked: &Asked<'_>) -> Vec<(RuleId, F)> {
        let mut struck = Vec::new();
        let mut decided = false;
        for rule in &mut self.rules {
            let waits = rule.fault.waits();
            if (decided && !waits) || !rule.when.takes(asked) {
                continue;
            }
            decided |= !waits;
            rule.hits += 1;
            struck.push((rule.id, rule.fault.clone()));
        }
        struck.sort_by_key(|(_, fault)| !fault.waits());
        struck
    }
}

impl<F> Default for Rules<F> {
    fn default() -> Self {
        Self { rules: Vec::new(), next: 0 }
    }
}
