//! The library interface: observing changes and requests, waiting, injecting faults.

use std::time::Duration;

use super::ControlPlane;
use super::change::ChangeView;
use super::faults::{Fault, When};
use super::log::LoggedRequest;
use super::rules::RuleId;

/// The limit of a wait. Generous: a test that reaches it fails.
const LIMIT: Duration = Duration::from_secs(30);

/// Changes, requests, waits and faults.
impl ControlPlane {
    /// Returns a change.
    ///
    /// # Panics
    /// Panics if the id is unknown.
    pub fn view(&self, change: &str) -> ChangeView {
        self.core.state().change(change).unwrap_or_else(|| panic!("there is no change {change}")).clone()
    }

    /// Returns all changes of a gateway, oldest first.
    pub fn changes(&self, gateway: &str) -> Vec<ChangeView> {
        let id = self.gateway_id(gateway);
        self.core.state().changes.iter().filter(|change| change.gateway_id == id).cloned().collect()
    }

    /// Waits until the gateway has reported a verdict, and returns the change.
    ///
    /// # Panics
    /// Panics if that takes longer than 30 seconds.
    pub async fn wait_until_settled(&self, change: &str) -> ChangeView {
        let settled = || Some(self.view(change)).filter(ChangeView::is_settled);
        match self.core.within(LIMIT, settled).await {
            Some(change) => change,
            None => panic!("not settled within {LIMIT:?}: {:?}", self.view(change)),
        }
    }

    /// Returns the requests so far, oldest first; at most the last 10 000.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.core.log().entries().cloned().collect()
    }

    /// Counts the requests with this method whose route starts with `route`. `/api` prefixes are ignored.
    pub fn count(&self, method: &str, route: &str) -> usize {
        let log = self.core.log();
        log.entries().filter(|entry| entry.method == method && entry.route.starts_with(route)).count()
    }

    /// Counts the changes that a gateway reported as applied, once each.
    pub fn applied(&self) -> usize {
        let log = self.core.log();
        let routes =
            log.entries().filter(|entry| entry.method == "POST" && entry.route.ends_with("/applied"));
        routes.map(|entry| entry.route.as_str()).collect::<std::collections::HashSet<_>>().len()
    }

    /// Returns the protocol violations so far.
    pub fn violations(&self) -> Vec<String> {
        self.core.log().entries().filter_map(|entry| entry.violation.clone()).collect()
    }

    /// Clears the log of requests.
    pub fn forget_requests(&self) {
        self.core.log().clear();
    }

    /// Waits until `check` returns a value. It is called after every change of the state.
    ///
    /// # Panics
    /// Panics if that takes longer than 30 seconds.
    pub async fn wait_for<T>(&self, what: &str, mut check: impl FnMut(&Self) -> Option<T>) -> T {
        match self.core.within(LIMIT, || check(self)).await {
            Some(value) => value,
            None => panic!("{what}: not within {LIMIT:?}; requests: {:#?}", self.requests()),
        }
    }

    /// Waits until at least `count` requests have arrived since the start.
    ///
    /// # Panics
    /// Panics if that takes longer than 30 seconds.
    pub async fn wait_for_count(&self, method: &str, route: &str, count: usize) {
        let what = format!("{count} requests {method} {route}");
        self.wait_for(&what, |cloud| (cloud.count(method, route) >= count).then_some(())).await;
    }

    /// Waits until `more` further requests have arrived and received a response.
    ///
    /// # Panics
    /// Panics if that takes longer than 30 seconds.
    pub async fn wait_for_more(&self, method: &str, route: &str, more: usize) {
        let next = self.core.log().entries().last().map_or(0, |entry| entry.number + 1);
        let what = format!("{more} more requests {method} {route}");
        let fresh = |entry: &&LoggedRequest| {
            entry.number >= next
                && entry.method == method
                && entry.route.starts_with(route)
                && entry.status.is_some()
        };
        let enough = |cloud: &Self| (cloud.core.log().entries().filter(fresh).count() >= more).then_some(());
        self.wait_for(&what, enough).await;
    }

    /// Adds a fault for the requests that match `when`.
    pub fn inject(&self, when: When, fault: Fault) -> RuleId {
        self.core.rules().add(when, fault)
    }

    /// Removes a fault. Requests that it holds continue.
    pub fn remove_fault(&self, rule: RuleId) {
        self.core.rules().remove(rule);
        self.core.wake();
    }

    /// Removes every fault.
    pub fn clear_faults(&self) {
        self.core.rules().clear();
        self.core.wake();
    }

    /// The number of requests that a fault has hit.
    pub fn hits(&self, rule: RuleId) -> usize {
        self.core.rules().hits(rule)
    }

    /// Waits until a fault has hit at least `hits` requests.
    ///
    /// # Panics
    /// Panics if that takes longer than 30 seconds.
    pub async fn wait_for_hits(&self, rule: RuleId, hits: usize) {
        self.wait_for("the fault hits", |cloud| (cloud.hits(rule) >= hits).then_some(())).await;
    }
}
