//! The quarantine: when a rejected change is tried again.

use std::time::Duration;

use provider_api::RejectionClass;
use serde::{Deserialize, Serialize};

/// The retry state of a rejected change whose obstacle may disappear without a new change.
///
/// At most [`TRIES`] attempts in all. A change that waits for the configuration is tried again when the configuration
/// differs from that of the last attempt: the second time at once, then at least 10 minutes and 1 hour after the
/// attempt before. A change that waits for the machine is tried again after 1 minute, 10 minutes and 1 hour. After the
/// last attempt, or when a file that it would write has changed, it stays rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Quarantine {
    /// The number of attempts.
    tried: u32,
    /// The time of the last attempt, in seconds since 1970.
    tried_at: u64,
    #[serde(rename = "trial")]
    attempt: Attempt,
}

/// A failed attempt to apply a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    waits_for: WaitsFor,
    /// The digest of the configuration that was served then.
    #[serde(rename = "against")]
    config_digest: String,
    /// The files that the change would write.
    pub(crate) targets: Vec<Target>,
}

/// A file that a change would write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// The SHA-256 of its content at that time, in hexadecimal; `None` when the file did not exist.
    #[serde(rename = "held")]
    pub(crate) digest: Option<String>,
}

/// The obstacle that has to disappear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WaitsFor {
    /// Another part of the configuration.
    Configuration,
    /// An address, a disk or a listener.
    Machine,
}

/// The most attempts to apply a change, the first included.
pub(crate) const TRIES: u32 = 4;

const MINUTE: Duration = Duration::from_secs(60);

/// The retry delays: the least time after the first attempt, the second and the third.
const CONFIGURATION_DELAYS: [Duration; 3] =
    [Duration::ZERO, MINUTE.saturating_mul(10), MINUTE.saturating_mul(60)];
const MACHINE_DELAYS: [Duration; 3] = [MINUTE, MINUTE.saturating_mul(10), MINUTE.saturating_mul(60)];

impl Attempt {
    pub(crate) fn new(class: RejectionClass, config_digest: String, targets: Vec<Target>) -> Self {
        let machine = matches!(class, RejectionClass::Bind | RejectionClass::Probe);
        let waits_for = if machine { WaitsFor::Machine } else { WaitsFor::Configuration };
        Self { waits_for, config_digest, targets }
    }

    /// Returns the same attempt as one that waits for the machine.
    pub(crate) fn machine(self) -> Self {
        Self { waits_for: WaitsFor::Machine, ..self }
    }
}

impl Quarantine {
    /// Returns the state after another attempt that failed at `now`; `None` after the last one.
    pub(crate) fn after(before: Option<&Self>, attempt: Attempt, now: u64) -> Option<Self> {
        let tried = before.map_or(0, |before| before.tried) + 1;
        (tried < TRIES).then_some(Self { tried, tried_at: now, attempt })
    }

    /// Returns true when the change is to be tried again while the configuration `digest` is served.
    pub(crate) fn is_due(&self, now: u64, digest: &str) -> bool {
        match self.attempt.waits_for {
            WaitsFor::Configuration if self.attempt.config_digest == digest => false,
            WaitsFor::Configuration => is_due_after(&CONFIGURATION_DELAYS, self.tried, self.tried_at, now),
            WaitsFor::Machine => retry_is_due(self.tried, self.tried_at, now),
        }
    }

    /// Returns the files that the change would write.
    pub(crate) fn targets(&self) -> &[Target] {
        &self.attempt.targets
    }

    /// Returns true when both changes would write one file: the newer then supersedes the older.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.targets().iter().any(|target| other.targets().iter().any(|other| other.name == target.name))
    }
}

/// Returns true when the next attempt is due, with the delays for obstacles outside the configuration.
pub(super) fn retry_is_due(tried: u32, at: u64, now: u64) -> bool {
    is_due_after(&MACHINE_DELAYS, tried, at, now)
}

/// Returns when the next attempt is due, in seconds since 1970, with those delays.
pub(super) fn retry_at(tried: u32, at: u64) -> u64 {
    let wait = MACHINE_DELAYS.get(tried.saturating_sub(1) as usize).copied();
    at.saturating_add(wait.unwrap_or_default().as_secs())
}

fn is_due_after(delays: &[Duration], tried: u32, at: u64, now: u64) -> bool {
    let wait = delays.get(tried.saturating_sub(1) as usize);
    // After a clock was set back the elapsed time is unknown: an early attempt is better than none.
    wait.is_some_and(|wait| now < at || now - at >= wait.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(class: RejectionClass, digest: impl Fn(u64) -> String) -> Vec<u64> {
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
    fn machine_retries_have_fixed_delays() {
        assert_eq!(attempts(RejectionClass::Bind, |_| "same".to_owned()), [0, 60, 660, 4260]);
    }

    #[test]
    fn configuration_retries_need_a_change() {
        assert_eq!(attempts(RejectionClass::Validate, |_| "same".to_owned()), [0]);
        assert_eq!(attempts(RejectionClass::Validate, |now| now.to_string()), [0, 1, 601, 4201]);
    }
}
