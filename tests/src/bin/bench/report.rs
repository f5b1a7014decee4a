//! The report of the benchmark, as tables or JSON.

mod proxy;
mod table;

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::bulk::Bulk;
use crate::caches::Cache;
use crate::cpus::Cpus;
use crate::load::CONNECTIONS;
use crate::machine::Machine;
use crate::memory::{self, Memory};
use crate::proxy::ProxyReport;
use crate::reload::{Reload, Written};
use crate::start::{self, Start};
use crate::throughput::Throughput;
use crate::upstream::BODY_BYTES;
use table::Table;

/// The measurements of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    cpus: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) throughput: Option<Vec<Throughput>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reload: Option<Vec<Reload>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start: Option<Vec<Start>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<Vec<Memory>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) caches: Option<Vec<Cache>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bulk: Option<Vec<Bulk>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proxy: Option<ProxyReport>,
    /// The failed requests.
    pub(crate) wrong: Vec<String>,
}

impl Report {
    pub(crate) fn new(machine: Machine, cpus: &Cpus) -> Self {
        let cpus = cpus.describe();
        let (throughput, reload, start, memory, caches, bulk) = (None, None, None, None, None, None);
        let (proxy, wrong) = (None, Vec::new());
        Self { machine, cpus, throughput, reload, start, memory, caches, bulk, proxy, wrong }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_else(|error| json!({ "error": error.to_string() }))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cpu, cores, kernel, load_before } = &self.machine;
        writeln!(f, "{cpu}, {cores} cores, Linux {kernel}; load before: {load_before}")?;
        writeln!(f, "{}", self.cpus)?;
        if cfg!(debug_assertions) {
            writeln!(f, "NOT A RELEASE BUILD: these figures are not representative")?;
        }
        if let Some(rows) = self.throughput.as_ref().filter(|rows| !rows.is_empty()) {
            throughput(f, rows)?;
        }
        if let Some(rows) = &self.reload {
            reload(f, rows)?;
        }
        if let Some(rows) = &self.start {
            start(f, rows)?;
        }
        if let Some(rows) = &self.memory {
            memory(f, rows)?;
        }
        if let Some(rows) = &self.caches {
            caches(f, rows)?;
        }
        if let Some(rows) = &self.bulk {
            bulk(f, rows)?;
        }
        if let Some(report) = &self.proxy {
            proxy::write(f, report)?;
        }
        Ok(())
    }
}

fn throughput(f: &mut fmt::Formatter<'_>, rows: &[Throughput]) -> fmt::Result {
    writeln!(f, "\nProxying: HTTP/1.1, {CONNECTIONS} connections, responses of {BODY_BYTES} bytes")?;
    let columns = ["", "requests/s", "ratio", "CPU us/request", "ratio", "user us", "busy", "mean us"];
    let mut table = Table::new(columns);
    for row in rows {
        table.row([
            row.name.to_owned(),
            format!("{:.0}", row.requests_per_second),
            format!("{:.2}", row.rate_ratio),
            format!("{:.1}", row.cpu_micros_per_request),
            format!("{:.2}", row.cpu_ratio),
            format!("{:.1}", row.user_micros_per_request),
            format!("{:.0}%", row.busy * 100.0),
            format!("{:.0}", row.mean_micros),
        ]);
    }
    write!(f, "{table}")?;
    writeln!(f, "Ratios compare with the first proxy in the same round; 1 is equal, more is better.")?;
    writeln!(f, "A proxy that is less than 100% busy waited for the load: compare its CPU time only.")
}

fn reload(f: &mut fmt::Formatter<'_>, rows: &[Reload]) -> fmt::Result {
    writeln!(f, "\nReload: from renaming one of many pipeline files to the first new response; not pinned")?;
    let mut table = Table::new([
        "written before",
        "pipelines",
        "median ms",
        "worst ms",
        "ratio",
        "MiB idle",
        "anonymous",
        "MiB after",
        "anonymous",
    ]);
    for row in rows {
        let written = match row.written {
            Written::Elsewhere => "elsewhere",
            Written::Beside => "beside it",
        };
        let fewest = rows.iter().find(|other| other.written == row.written).unwrap_or(row);
        table.row([
            written.to_owned(),
            row.pipelines.to_string(),
            format!("{:.2}", row.median_millis),
            format!("{:.2}", row.worst_millis),
            format!("{:.2}", row.median_millis / fewest.median_millis),
            format!("{:.1}", row.resident_mib[0]),
            format!("{:.1}", row.anonymous_mib[0]),
            format!("{:.1}", row.resident_mib[1]),
            format!("{:.1}", row.anonymous_mib[1]),
        ]);
    }
    write!(f, "{table}")?;
    writeln!(
        f,
        "Memory is the resident one, idle after the start and after all edits; what is not anonymous is the program itself."
    )?;
    writeln!(
        f,
        "For orientation: Envoy takes about 10 ms for one of 1000 routes in a file, measured on a like machine."
    )
}

fn start(f: &mut fmt::Formatter<'_>, rows: &[Start]) -> fmt::Result {
    writeln!(f, "\nStart: from the start of the process to its first 200; {} pipelines", start::PIPELINES)?;
    let mut table = Table::new(["", "median ms", "worst ms", "ratio"]);
    for row in rows {
        table.row([
            row.name.to_owned(),
            format!("{:.1}", row.median_millis),
            format!("{:.1}", row.worst_millis),
            format!("{:.1}", row.ratio),
        ]);
    }
    write!(f, "{table}")
}

fn memory(f: &mut fmt::Formatter<'_>, rows: &[Memory]) -> fmt::Result {
    writeln!(f, "\nMemory: idle, 2 s after the start; {} pipelines", memory::PIPELINES)?;
    let mut table = Table::new(["", "resident MiB", "anonymous MiB", "ratio"]);
    for row in rows {
        table.row([
            row.name.to_owned(),
            format!("{:.1}", row.resident_mib),
            format!("{:.1}", row.anonymous_mib),
            format!("{:.1}", row.ratio),
        ]);
    }
    write!(f, "{table}")
}

fn caches(f: &mut fmt::Formatter<'_>, rows: &[Cache]) -> fmt::Result {
    writeln!(f, "\nCaches: one value that all threads look up; not pinned")?;
    let mut table = Table::new(["", "ns, 1 thread", "ns, 2 threads", "ratio"]);
    for Cache { name, nanos: [one, two] } in rows {
        table.row([
            (*name).to_owned(),
            format!("{one:.0}"),
            format!("{two:.0}"),
            format!("{:.2}", two / one),
        ]);
    }
    write!(f, "{table}")
}

fn bulk(f: &mut fmt::Formatter<'_>, rows: &[Bulk]) -> fmt::Result {
    writeln!(f, "\nBulk: pending changes of a control plane, from its list to the verdicts; not pinned")?;
    let columns = [
        "changes",
        "round trip ms",
        "first s",
        "last s",
        "CPU s",
        "CPU ms/change",
        "ratio",
        "calls",
        "syncs",
    ];
    let mut table = Table::new(columns);
    for row in rows {
        let fewest =
            rows.iter().find(|other| other.round_trip_millis == row.round_trip_millis).unwrap_or(row);
        table.row([
            row.changes.to_string(),
            row.round_trip_millis.to_string(),
            format!("{:.2}", row.first_seconds),
            format!("{:.2}", row.last_seconds),
            format!("{:.2}", row.cpu_seconds),
            format!("{:.2}", row.cpu_millis_per_change),
            format!("{:.2}", row.cpu_millis_per_change / fewest.cpu_millis_per_change),
            row.calls.to_string(),
            row.syncs.to_string(),
        ]);
    }
    write!(f, "{table}")
}
