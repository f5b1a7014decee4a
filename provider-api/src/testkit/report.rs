use std::fmt;

use super::list::Check;
use super::verdict::Outcome;

/// What came of a run: a table when it is displayed.
#[derive(Clone, Debug)]
pub struct Report {
    /// One line for each check, in the order in which they ran.
    pub lines: Vec<Line>,
}

/// A check and what came of it.
#[derive(Clone, Debug)]
pub struct Line {
    /// What was promised.
    pub check: Check,
    /// Whether it is kept.
    pub outcome: Outcome,
}

impl Report {
    /// How many passed.
    pub fn passed(&self) -> usize {
        self.lines.iter().filter(|line| line.outcome == Outcome::Passed).count()
    }

    /// The checks that failed.
    pub fn failed(&self) -> Vec<&Line> {
        self.lines.iter().filter(|line| matches!(line.outcome, Outcome::Failed(_))).collect()
    }

    /// The checks that could not be tried.
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
        write!(f, "{} checks: {passed} passed, {failed} failed, {skipped} skipped", self.lines.len())
    }
}
