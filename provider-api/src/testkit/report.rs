//! The report of a run.

use std::fmt;

use super::list::Check;
use super::outcome::{Outcome, counted};

/// The results of a run. `Display` writes them as a table.
#[derive(Clone, Debug)]
pub struct Report {
    /// One line for each check, in the order of the run.
    pub lines: Vec<Line>,
}

/// A check and its outcome.
#[derive(Clone, Debug)]
pub struct Line {
    /// The check.
    pub check: Check,
    /// The outcome.
    pub outcome: Outcome,
}

impl Report {
    /// Returns the number of checks that passed.
    pub fn passed(&self) -> usize {
        self.lines.iter().filter(|line| line.outcome == Outcome::Passed).count()
    }

    /// Returns the checks that failed.
    pub fn failed(&self) -> Vec<&Line> {
        self.lines.iter().filter(|line| matches!(line.outcome, Outcome::Failed(_))).collect()
    }

    /// Returns the checks that were skipped.
    pub fn skipped(&self) -> Vec<&Line> {
        self.lines.iter().filter(|line| matches!(line.outcome, Outcome::Skipped(_))).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |line: &Line| line.check.to_string();
        let width = self.lines.iter().map(|line| name(line).len()).max().unwrap_or_default();
        for line in &self.lines {
            writeln!(f, "{:width$}  {}", name(line), line.outcome)?;
        }
        let (passed, failed, skipped) = (self.passed(), self.failed().len(), self.skipped().len());
        let total = counted(self.lines.len(), "check");
        write!(f, "{total}: {passed} passed, {failed} failed, {skipped} skipped")
    }
}
