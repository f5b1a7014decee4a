//! One incident: a gateway before and after it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use harmony_tests::{Gateway, GatewayProcess, Metrics, binary, eventually};
use tokio::process::Command;

/// A series by its name and some of its labels.
pub(super) type Series<'a> = (&'a str, &'a [(&'a str, &'a str)]);

/// A gauge, and the test that its value passes.
type Gauge<'a> = (Series<'a>, fn(f64) -> bool);

/// The places that must name the cause of an incident.
pub(super) struct Cause<'a> {
    /// The name of a row of `status`, and words of that row.
    pub(super) row: (&'a str, &'a [&'a str]),
    /// Words of the line of the log.
    pub(super) line: &'a [&'a str],
    /// The counters that the incident moves. The first one names the cause, the others count the same event.
    pub(super) counters: &'a [Series<'a>],
    /// A gauge, where a state is the better metric.
    pub(super) gauge: Option<Gauge<'a>>,
}

/// A gateway before an incident.
pub(super) struct Incident<'g> {
    gateway: &'g Gateway,
    admin: u16,
    config: PathBuf,
    home: PathBuf,
    /// The counters before the incident.
    before: BTreeMap<String, f64>,
    /// The number of lines in the log before it.
    lines: usize,
}

impl<'g> Incident<'g> {
    /// Begins the incident of a gateway that is in sync and without troubles.
    pub(super) async fn of(process: &'g GatewayProcess) -> Self {
        process.wait_for_sync().await;
        let mut incident =
            Self::from_start(&process.gateway, process.admin, process.dir.config(), process.home.path());
        incident.flush_log().await;
        assert_eq!(
            incident.complaints(),
            Vec::<String>::new(),
            "the gateway has troubles before the incident"
        );
        incident.lines = process.gateway.log().lines().count();
        incident.before = counters(&Metrics::of(process.admin).await);
        incident
    }

    /// Begins the incident of a gateway that has it from its start.
    pub(super) fn from_start(gateway: &'g Gateway, admin: u16, config: PathBuf, home: &Path) -> Self {
        Self { gateway, admin, config, home: home.to_owned(), before: BTreeMap::new(), lines: 0 }
    }

    /// Waits until `status`, the log and the metrics name the cause, and checks that nothing else complains.
    ///
    /// # Panics
    /// Panics with what is missing, or is there and should not be.
    pub(super) async fn has(self, cause: Cause<'_>) {
        let screen = self.wait_for_row(&cause).await;
        let metrics = self.wait_for_metrics(&cause).await;
        self.flush_log().await;
        let lines = self.complaints();
        let is_meant = |line: &&String| cause.line.iter().all(|words| line.contains(words));
        let (meant, others): (Vec<_>, Vec<_>) = lines.iter().partition(is_meant);
        assert!(!meant.is_empty(), "no line has {:?}:\n{}", cause.line, self.gateway.log());
        assert!(others.is_empty(), "the log complains of something else: {others:#?}\nand of {meant:#?}");
        let kinds: BTreeSet<String> = meant.iter().map(|line| kind(line)).collect();
        assert_eq!(kinds.len(), 1, "{meant:#?}");
        for (moved, by) in metrics {
            let is_meant = cause.counters.iter().any(|series| is(&moved, series));
            assert!(is_meant, "{moved} has moved by {by}; log:\n{}\n{screen}", self.gateway.log());
        }
    }

    /// Waits until these counters have moved, and checks that nothing complains: it is no incident.
    pub(super) async fn causes_only(self, counters: &[Series<'_>]) {
        let none = Cause { row: ("", &[]), line: &[], counters, gauge: None };
        let moved = self.wait_for_metrics(&none).await;
        assert!(moved.keys().all(|moved| counters.iter().any(|series| is(moved, series))), "{moved:?}");
        let screen = self.status().await;
        assert!(screen.starts_with("in sync\n") && !screen.contains("in 5 min"), "{screen}");
        self.flush_log().await;
        assert_eq!(self.complaints(), Vec::<String>::new());
    }

    /// Waits until exactly one row of `status` names the cause, and returns the screen.
    async fn wait_for_row(&self, cause: &Cause<'_>) -> String {
        let (name, words) = cause.row;
        eventually(&format!("one row {name} of `status` has {words:?}"), || async {
            let screen = self.status().await;
            let rows = screen.lines().filter_map(|line| line.strip_prefix("  "));
            let rows = rows.filter(|row| words.iter().all(|word| row.contains(word)));
            match rows.collect::<Vec<_>>()[..] {
                [row] if row.starts_with(name) => Ok(screen),
                _ => Err(screen),
            }
        })
        .await
    }

    /// Waits until the counters have moved and the gauge has its value, and returns all counters of troubles that have moved.
    async fn wait_for_metrics(&self, cause: &Cause<'_>) -> BTreeMap<String, f64> {
        eventually("the metrics name the cause", || async {
            let metrics = Metrics::of(self.admin).await;
            let now = counters(&metrics);
            let by = |(series, value): (&String, &f64)| {
                let by = value - self.before.get(series).copied().unwrap_or_default();
                (by != 0.0).then(|| (series.clone(), by))
            };
            let moved: BTreeMap<String, f64> = now.iter().filter_map(by).collect();
            let has_moved = |series: &Series<'_>| moved.keys().any(|moved| is(moved, series));
            let is_value = |((name, labels), is): Gauge<'_>| metrics.find(name, labels).is_some_and(is);
            match cause.counters.iter().all(has_moved) && cause.gauge.is_none_or(is_value) {
                true => Ok(moved),
                false => Err((moved, metrics.text().to_owned())),
            }
        })
        .await
    }

    async fn status(&self) -> String {
        let mut command = Command::new(binary());
        command.args(["status", "--config"]).arg(&self.config).env("HOME", &self.home);
        for name in
            ["RUST_LOG", "HARMONY_CONFIG", "HARMONY_MANAGEMENT_TOKEN", "HARMONY_STATE_DIR", "STATE_DIRECTORY"]
        {
            command.env_remove(name);
        }
        let output = command.output().await.expect("the command runs");
        String::from_utf8(output.stdout).expect("a text")
    }

    /// Waits until all lines so far have been written: the status on demand comes behind them.
    async fn flush_log(&self) {
        const STATUS: &str = " SIGUSR1: ";
        let count = || self.gateway.log().matches(STATUS).count();
        let before = count();
        self.gateway.signal("USR1").await;
        eventually("the status is in the log", || async {
            if count() > before { Ok(()) } else { Err(self.gateway.log()) }
        })
        .await;
    }

    /// The warnings and errors of the log since the incident began.
    fn complaints(&self) -> Vec<String> {
        let log = self.gateway.log();
        let lines = log.lines().skip(self.lines).filter(|line| !level(line).is_empty());
        lines.map(str::to_owned).collect()
    }
}

/// Returns the level of a warning or an error; nothing for other lines.
fn level(line: &str) -> &str {
    let level = line.split_whitespace().nth(1).unwrap_or_default();
    if matches!(level, "WARN" | "ERROR") { level } else { "" }
}

/// Returns the level and the first words of a line. What follows them may have numbers and differ from one repeat to the next.
fn kind(line: &str) -> String {
    line.split_whitespace().skip(1).take(6).collect::<Vec<_>>().join(" ")
}

/// Returns all counters of failures, refusals and rejections, as `name{label="value",...}`.
fn counters(metrics: &Metrics) -> BTreeMap<String, f64> {
    let is_trouble = |name: &str, labels: &BTreeMap<String, String>| {
        let has = |label: &str, values: &[&str]| {
            labels.get(label).is_some_and(|value| values.contains(&value.as_str()))
        };
        match name {
            "harmony_backend_failures_total"
            | "harmony_backend_retries_total"
            | "harmony_refusals_total"
            | "harmony_connections_refused_total"
            | "harmony_access_log_lost_total"
            | "harmony_configurations_rejected_total"
            | "harmony_cache_fetch_failures_total" => true,
            "harmony_connections_ended_total" => has("reason", &["displaced", "slow", "tls", "malformed"]),
            "harmony_reloads_total" => has("verdict", &["rejected"]),
            "harmony_sync_passes_total" => has("outcome", &["failed"]),
            "harmony_sync_changes_total" => has("outcome", &["rejected", "held"]),
            _ => false,
        }
    };
    let series = metrics.each(is_trouble).into_iter();
    let named = series.map(|((name, labels), value)| {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        (format!("{name}{{{}}}", labels.join(",")), value)
    });
    named.collect()
}

/// Returns whether a counter is one of these series.
fn is(counter: &str, (name, labels): &Series<'_>) -> bool {
    counter.starts_with(&format!("{name}{{"))
        && labels.iter().all(|(label, value)| counter.contains(&format!("{label}=\"{value}\"")))
}
