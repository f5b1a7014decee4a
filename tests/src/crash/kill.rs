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

/// The failpoints on the path of changes, each with the occurrences to test. The changes of a run are applied together: the
/// whole is tried, refused because of the guilty ones in the middle, and tried again without them.
pub(super) const KILLS: [(&str, &[u32]); 26] = [
    ("seen", &[1]),
    ("fetched", &[1]),
    ("announced", &[1]),
    ("acknowledged", &[1]),
    ("tried", &[1, 2, 3]),
    ("built", &[1]),
    ("bound", &[1]),
    ("staged", &[1]),
    ("recorded", &[1]),
    ("exchanging", &[1]),
    ("exchanged", &[1]),
    ("part-written", &[1, 3, 5]),
    ("written", &[1]),
    ("committed", &[1]),
    ("published", &[1]),
    ("looked", &[1]),
    ("displaced", &[1]),
    ("probed", &[1]),
    ("settled", &[1, 2]),
    ("reported", &[1, 4]),
    ("delivered", &[1, 3]),
    ("kept", &[1, 2]),
    ("half-noted", &[1, 2, 3, 4, 6, 8, 10]),
    ("noted", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ("file-made", &[1, 2, 3, 4, 5, 6, 7, 9, 11]),
    ("file-renamed", &[1, 2, 3, 4, 6, 8, 10]),
];

/// The failpoints of a file that is replaced. A run with an overlay only makes new files in it.
pub(super) const EXCHANGES: [&str; 2] = ["exchanging", "exchanged"];

/// The cases that also kill the second process, while it rolls back the incomplete change of the first.
pub(super) const TWICE: [(&str, Kill); 6] = [
    ("staged", Kill::first("recovered")),
    ("committed", Kill::first("recovered")),
    ("published", Kill::first("file-renamed")),
    ("exchanged", Kill::first("exchanged")),
    ("probed", Kill::first("recovered")),
    // In the middle of the files of many changes.
    ("written", Kill { point: "restored", occurrence: 3 }),
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
