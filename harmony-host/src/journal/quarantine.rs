use std::time::Duration;

use provider_api::RejectionClass;
use serde::{Deserialize, Serialize};

/// A change that was rejected for what may come right without it, kept to be tried again.
///
/// At most [`TRIES`] tries in all. What waits for the configuration is tried again once that is another
/// than it was tried against: the second time at once, then no sooner than ten minutes and an hour after the try
/// before. What waits for the machine is tried again after a minute, ten minutes and an hour. After the last try,
/// or when a file it would write is not what it was, it stays rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quarantine {
    /// How often it was tried.
    tried: u32,
    /// When it was tried last, in seconds since 1970.
    tried_at: u64,
    #[serde(rename = "trial")]
    attempt: Attempt,
}

/// What is known of a try that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    waits_for: WaitsFor,
    /// The digest of the configuration it was tried against.
    against: String,
    /// The files it would write.
    pub(crate) targets: Vec<Target>,
}

/// A file that a change would write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// The SHA-256 of what it held, in hexadecimal; `None` when there was no such file.
    pub(crate) held: Option<String>,
}

/// What has to come right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WaitsFor {
    /// Another part of the configuration.
    Configuration,
    /// An address, a disk, a listener.
    Machine,
}

/// How often a change is tried, the first time included.
pub(crate) const TRIES: u32 = 4;

const MINUTE: Duration = Duration::from_secs(60);

/// The least time between the first try and the second, and so on.
const CONFIGURATION: [Duration; 3] = [Duration::ZERO, MINUTE.saturating_mul(10), MINUTE.saturating_mul(60)];
const MACHINE: [Duration; 3] = [MINUTE, MINUTE.saturating_mul(10), MINUTE.saturating_mul(60)];

impl Attempt {
    pub(crate) fn new(class: RejectionClass, against: String, targets: Vec<Target>) -> Self {
        let machine = matches!(class, RejectionClass::Bind | RejectionClass::Probe);
        let waits_for = if machine { WaitsFor::Machine } else { WaitsFor::Configuration };
        Self { waits_for, against, targets }
    }

    /// The same, for what only the machine stands in the way of.
    pub(crate) fn machine(self) -> Self {
        Self { waits_for: WaitsFor::Machine, ..self }
    }
}

impl Quarantine {
    /// After another try that failed at `now`; `None` when that was the last one.
    pub(crate) fn after(before: Option<&Self>, attempt: Attempt, now: u64) -> Option<Self> {
        let tried = before.map_or(0, |before| before.tried) + 1;
        (tried < TRIES).then_some(Self { tried, tried_at: now, attempt })
    }

    /// Whether it is to be tried again, with the configuration `digest` being served.
    pub(crate) fn is_due(&self, now: u64, digest: &str) -> bool {
        match self.attempt.waits_for {
            WaitsFor::Configuration if self.attempt.against == digest => false,
            WaitsFor::Configuration => is_due_after(&CONFIGURATION, self.tried, self.tried_at, now),
            WaitsFor::Machine => machine_is_due(self.tried, self.tried_at, now),
        }
    }

    /// The files it would write.
    pub(crate) fn targets(&self) -> &[Target] {
        &self.attempt.targets
    }

    /// Whether both would write one file: the newer is what is wanted.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.targets().iter().any(|target| other.targets().iter().any(|theirs| theirs.name == target.name))
    }
}

/// Whether what only the machine, or the other side, stands in the way of is due after so many tries.
pub(super) fn machine_is_due(tried: u32, at: u64, now: u64) -> bool {
    is_due_after(&MACHINE, tried, at, now)
}

fn is_due_after(delays: &[Duration], tried: u32, at: u64, now: u64) -> bool {
    let wait = delays.get(tried.saturating_sub(1) as usize);
    // A clock that was turned back says nothing: rather once too early than never.
    wait.is_some_and(|wait| now < at || now - at >= wait.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(class: RejectionClass, digest: impl Fn(u64) -> String) -> Vec<u64> {
        let attempt = |now| Attempt::new(class, digest(now), Vec::new());
        let mut quarantine = Quarantine::after(None, attempt(0), 0);
        let mut tried = vec![0];
        for now in 1..=24 * 3600 {
            let Some(one) = quarantine.as_ref().filter(|one| one.is_due(now, &digest(now))) else { continue };
            tried.push(now);
            quarantine = Quarantine::after(Some(one), attempt(now), now);
        }
        tried
    }

    #[test]
    fn what_waits_for_the_machine_is_tried_after_a_minute_ten_minutes_and_an_hour_and_no_more() {
        assert_eq!(tries(RejectionClass::Bind, |_| "same".to_owned()), [0, 60, 660, 4260]);
    }

    #[test]
    fn what_waits_for_the_configuration_is_tried_when_that_changes_and_not_before() {
        assert_eq!(tries(RejectionClass::Validate, |_| "same".to_owned()), [0]);
        assert_eq!(tries(RejectionClass::Validate, |now| now.to_string()), [0, 1, 601, 4201]);
    }
}
