use std::fmt;

/// Where a process is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// The name of the point.
    pub point: &'static str,
    /// The how manieth time that the process comes there, from 1.
    pub time: u32,
}

/// The points on the path of a change, each with the times at which it is worth being ended there: the first, and one
/// when other changes are half through, or already done. Every note of the journal and every file makes a file, so
/// those two are passed about fifty times.
pub(super) const KILLS: [(&str, &[u32]); 19] = [
    ("seen", &[1, 4]),
    ("fetched", &[1, 4]),
    ("announced", &[1, 4]),
    ("acknowledged", &[1, 4]),
    ("built", &[1, 4]),
    ("bound", &[1, 3]),
    ("staged", &[1, 4]),
    ("part-written", &[1, 4]),
    ("written", &[1, 4]),
    ("committed", &[1, 3]),
    ("published", &[1, 3]),
    ("looked", &[1, 3]),
    ("probed", &[1, 3]),
    ("settled", &[1, 2, 6]),
    ("reported", &[1, 4]),
    ("delivered", &[1, 4]),
    ("kept", &[1, 2]),
    ("file-made", &[1, 2, 3, 5, 7, 9, 14, 24, 35]),
    ("file-renamed", &[1, 4, 6, 8, 11, 19, 30]),
];

/// Where the process that follows is ended too, while it takes back what the one before left half done.
pub(super) const TWICE: [(&str, Kill); 4] = [
    ("staged", Kill::first("recovered")),
    ("committed", Kill::first("recovered")),
    ("published", Kill::first("file-renamed")),
    ("probed", Kill::first("recovered")),
];

impl Kill {
    /// The first time that the process comes there.
    pub const fn first(point: &'static str) -> Self {
        Self { point, time: 1 }
    }

    /// What `FAILPOINTS` is set to.
    pub(super) fn armed(self) -> String {
        let Self { point, time } = self;
        match time {
            0 | 1 => format!("{point}=return"),
            _ => format!("{point}={}*off->return", time - 1),
        }
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.point, self.time)
    }
}
