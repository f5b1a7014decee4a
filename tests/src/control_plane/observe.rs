use std::time::Duration;

use super::ControlPlane;
use super::change::ChangeView;
use super::faults::{Fault, When};
use super::log::Logged;
use super::rules::RuleId;

/// Far longer than anything should take; a test that gets here fails.
const LIMIT: Duration = Duration::from_secs(30);

/// What happened, what is waited for, and what is to go wrong.
impl ControlPlane {
    /// A change.
    ///
    /// # Panics
    /// When there is none of that id.
    pub fn view(&self, change: &str) -> ChangeView {
        self.core.state().change(change).unwrap_or_else(|| panic!("there is no change {change}")).clone()
    }

    /// Every change of a gateway, oldest first.
    pub fn changes(&self, gateway: &str) -> Vec<ChangeView> {
        let id = self.gateway_id(gateway);
        self.core.state().changes.iter().filter(|change| change.gateway_id == id).cloned().collect()
    }

    /// A change, once its gateway has applied or refused it.
    ///
    /// # Panics
    /// When that takes longer than 30 seconds.
    pub async fn settled(&self, change: &str) -> ChangeView {
        let settled = || Some(self.view(change)).filter(ChangeView::is_settled);
        match self.core.within(LIMIT, settled).await {
            Some(change) => change,
            None => panic!("not settled within {LIMIT:?}: {:?}", self.view(change)),
        }
    }

    /// Every request so far, oldest first; the last ten thousand.
    pub fn requests(&self) -> Vec<Logged> {
        self.core.log().entries().cloned().collect()
    }

    /// How many requests came of that method, to routes that begin so. `/api` prefixes do not count.
    pub fn count(&self, method: &str, route: &str) -> usize {
        let log = self.core.log();
        log.entries().filter(|entry| entry.method == method && entry.route.starts_with(route)).count()
    }

    /// How callers broke the protocol.
    pub fn violations(&self) -> Vec<String> {
        self.core.log().entries().filter_map(|entry| entry.violation.clone()).collect()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.core.log().clear();
    }

    /// Waits until `look` sees something. It is called whenever anything changes here.
    ///
    /// # Panics
    /// When that takes longer than 30 seconds.
    pub async fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        match self.core.within(LIMIT, || look(self)).await {
            Some(seen) => seen,
            None => panic!("{what}: not within {LIMIT:?}; requests: {:#?}", self.requests()),
        }
    }

    /// Waits until so many requests of that kind have come, counted from the start.
    ///
    /// # Panics
    /// When that takes longer than 30 seconds.
    pub async fn wait_for_count(&self, method: &str, route: &str, count: usize) {
        let what = format!("{count} times {method} {route}");
        self.wait_for(&what, |cloud| (cloud.count(method, route) >= count).then_some(())).await;
    }

    /// Waits until so many further requests of that kind have come and been answered.
    ///
    /// # Panics
    /// When that takes longer than 30 seconds.
    pub async fn wait_for_more(&self, method: &str, route: &str, more: usize) {
        let next = self.core.log().entries().last().map_or(0, |entry| entry.number + 1);
        let what = format!("{more} more of {method} {route}");
        let fresh = |entry: &&Logged| {
            entry.number >= next
                && entry.method == method
                && entry.route.starts_with(route)
                && entry.status.is_some()
        };
        let enough = |cloud: &Self| (cloud.core.log().entries().filter(fresh).count() >= more).then_some(());
        self.wait_for(&what, enough).await;
    }

    /// Programs a fault.
    pub fn fault(&self, when: When, fault: Fault) -> RuleId {
        self.core.rules().add(when, fault)
    }

    /// Removes a fault. Requests that it holds go on.
    pub fn unfault(&self, rule: RuleId) {
        self.core.rules().remove(rule);
        self.core.wake();
    }

    /// Removes every fault.
    pub fn clear_faults(&self) {
        self.core.rules().clear();
        self.core.wake();
    }

    /// How many requests a fault struck.
    pub fn hits(&self, rule: RuleId) -> usize {
        self.core.rules().hits(rule)
    }

    /// Waits until a fault has struck so many requests.
    ///
    /// # Panics
    /// When that takes longer than 30 seconds.
    pub async fn wait_for_hits(&self, rule: RuleId, hits: usize) {
        self.wait_for("a fault that strikes", |cloud| (cloud.hits(rule) >= hits).then_some(())).await;
    }
}
