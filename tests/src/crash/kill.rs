//! The failpoints on the path of a change, and the occurrences at which a crash test uses them.

use std::fmt;

/// A failpoint and the occurrence at which it kills the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// The name of the failpoint.
    pub point: &'static str,
    /// The occurrence that kills, counted from 1.
    pub occurrence: u32,
}

/// The failpoints on the path of a change, each with the occurrences to test: the first one, and one while other
/// changes are in progress or done. Each journal entry and each configuration file is a new file, so a run passes
/// `file-made` and `file-renamed` about fifty times.
pub(super) const KILLS: [(&str, &[u32]); 23] = [
    ("seen", &[1, 4]),
    ("fetched", &[1, 4]),
    ("announced", &[1, 4]),
    ("acknowledged", &[1, 4]),
    ("built", &[1, 4]),
    ("bound", &[1, 3]),
    ("staged", &[1, 4]),
    ("recorded", &[1, 4]),
    ("exchanging", &[1]),
    ("exchanged", &[1]),
    ("part-written", &[1, 4]),
    ("written", &[1, 4]),
    ("committed", &[1, 3]),
    ("published", &[1, 3]),
    ("looked", &[1, 3]),
    ("displaced", &[1, 3]),
    ("probed", &[1, 3]),
    ("settled", &[1, 2, 6]),
    ("reported", &[1, 4]),
    ("delivered", &[1, 4]),
    ("kept", &[1, 2]),
    ("file-made", &[1, 2, 3, 5, 7, 9, 14, 24, 35]),
    ("file-renamed", &[1, 4, 6, 8, 11, 19, 30]),
];

/// The failpoints of a file that is replaced. A run with an overlay only makes new files in it.
pub(super) const EXCHANGES: [&str; 2] = ["exchanging", "exchanged"];

/// The cases that also kill the second process, while it rolls back the incomplete change of the first.
pub(super) const TWICE: [(&str, Kill); 5] = [
    ("staged", Kill::first("recovered")),
    ("committed", Kill::first("recovered")),
    ("published", Kill::first("file-renamed")),
    ("exchanged", Kill::first("exchanged")),
    ("probed", Kill::first("recovered")),
];

impl Kill {
    /// Kills at the first occurrence of `point`.
    pub const fn first(point: &'static str) -> Self {
        Self { point, occurrence: 1 }
    }

    /// The value of `FAILPOINTS`.
    pub(super) fn failpoints(self) -> String {
        let Self { point, occurrence } = self;
        match occurrence {
            0 | 1 => format!("{point}=return"),
            _ => format!("{point}={}*off->return", occurrence - 1),
        }
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.point, self.occurrence)
    }
}
