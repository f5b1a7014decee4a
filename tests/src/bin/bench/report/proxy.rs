//! The tables beside nginx and haproxy.

use std::fmt;

use super::table::Table;
use crate::proxy::{
    ConstantRate, IDLE_CONNECTIONS, IDLE_INTERVAL, Idle, Instructions, Measured, ProxyReport, Threads,
};

/// Writes all tables.
pub(super) fn write(f: &mut fmt::Formatter<'_>, report: &ProxyReport) -> fmt::Result {
    writeln!(f, "\nUpstream: {}", report.upstream)?;
    for missing in &report.missing {
        writeln!(f, "MISSING: {missing} is not installed, so its rows are left out")?;
    }
    for part in &report.left_out {
        writeln!(f, "LEFT OUT: {part}")?;
    }
    for scenario in report.scenarios.iter().filter(|scenario| !scenario.rows.is_empty()) {
        measured(f, scenario)?;
    }
    writeln!(
        f,
        "Ratios compare with the first proxy of the table in the same round; 1 is equal, more is better."
    )?;
    writeln!(f, "A proxy that is less than 100% busy waited for the load: compare its CPU time only.")?;
    writeln!(f, "The row without a proxy is the limit of the load; its CPU time is that of the upstream.")?;
    if let Some(report) = report.constant_rate.as_ref().filter(|report| !report.rows.is_empty()) {
        constant_rate(f, report)?;
    }
    if !report.threads.is_empty() {
        threads(f, &report.threads)?;
    }
    idle(f, &report.idle)?;
    instructions(f, &report.instructions)
}

/// Writes one scenario.
fn measured(f: &mut fmt::Formatter<'_>, scenario: &Measured) -> fmt::Result {
    let Measured { title, connections, streams, body_bytes, rows } = scenario;
    let plural = if *connections == 1 { "" } else { "s" };
    write!(f, "\n{title}, {connections} connection{plural}")?;
    if *streams > 1 {
        write!(f, " with {streams} requests at a time each")?;
    }
    match body_bytes / 1024 {
        1024.. => writeln!(f, ", responses of {} MiB", body_bytes / 1024 / 1024)?,
        kib => writeln!(f, ", responses of {kib} KiB")?,
    }
    let mut table = Table::new(["", "requests/s", "ratio", "CPU us/request", "ratio", "user us", "busy"]);
    for row in rows {
        table.row([
            row.name.to_owned(),
            format!("{:.0}", row.requests_per_second),
            format!("{:.2}", row.rate_ratio),
            format!("{:.1}", row.cpu_micros_per_request),
            format!("{:.2}", row.cpu_ratio),
            format!("{:.1}", row.user_micros_per_request),
            format!("{:.0}%", row.busy * 100.0),
        ]);
    }
    write!(f, "{table}")
}

/// Writes the latencies.
fn constant_rate(f: &mut fmt::Formatter<'_>, report: &ConstantRate) -> fmt::Result {
    let ConstantRate { share_of_knee, requests_per_second, connections, rows } = report;
    let reference = rows.first().map_or("", |row| row.name);
    writeln!(
        f,
        "\nLatency at {requests_per_second:.0} requests/s, {:.0}% of the most that {reference} served; \
         HTTP/1.1, {connections} connections, 1 KiB",
        share_of_knee * 100.0
    )?;
    let columns = ["", "p50 us", "ratio", "p99 us", "ratio", "p99.9 us", "ratio", "answered", "busy"];
    let mut table = Table::new(columns);
    for row in rows {
        let [p50, p99, p999] = row.micros.map(|micros| format!("{micros:.0}"));
        let [r50, r99, r999] = row.ratios.map(|ratio| format!("{ratio:.2}"));
        table.row([
            row.name.to_owned(),
            p50,
            r50,
            p99,
            r99,
            p999,
            r999,
            format!("{:.1}%", row.answered * 100.0),
            format!("{:.0}%", row.busy * 100.0),
        ]);
    }
    write!(f, "{table}")?;
    writeln!(
        f,
        "Latency counts from the time at which a request was due; ratios to {reference}, less is better."
    )?;
    writeln!(
        f,
        "A proxy with less than 100% answered cannot serve this rate: its figures are lower bounds."
    )?;
    writeln!(f, "The row without a proxy is the load itself, which is a part of all rows.")
}

/// Writes the CPU times with one thread and with two.
fn threads(f: &mut fmt::Formatter<'_>, rows: &[Threads]) -> fmt::Result {
    writeln!(f, "\nTwo threads: CPU time per request, HTTP/1.1, 64 connections, 1 KiB")?;
    let mut table = Table::new(["", "us, 1 thread", "us, 2 threads", "capacity factor"]);
    for Threads { name, cpu_micros_per_request: [one, two], capacity_factor } in rows {
        table.row([
            (*name).to_owned(),
            format!("{one:.1}"),
            format!("{two:.1}"),
            format!("{capacity_factor:.2}"),
        ]);
    }
    write!(f, "{table}")?;
    writeln!(
        f,
        "The load and the upstream share the second CPU, so requests/s would say nothing; nginx has processes, not threads."
    )?;
    writeln!(
        f,
        "The factor is 2 / (CPU time with two / with one): 2 is ideal. Sharing a CPU makes it smaller for both proxies."
    )
}

/// Writes the memory of connections.
fn idle(f: &mut fmt::Formatter<'_>, rows: &[Idle]) -> fmt::Result {
    writeln!(
        f,
        "\nMemory of {IDLE_CONNECTIONS} idle connections after one request on each, opened every {} ms",
        IDLE_INTERVAL.as_millis()
    )?;
    let mut table = Table::new(["", "", "MiB before", "MiB with them", "KiB/connection"]);
    for row in rows {
        table.row([
            row.name.to_owned(),
            row.front.to_owned(),
            format!("{:.1}", row.resident_mib[0]),
            format!("{:.1}", row.resident_mib[1]),
            format!("{:.1}", row.kib_per_connection),
        ]);
    }
    write!(f, "{table}")?;
    writeln!(
        f,
        "Resident memory, without that of the kernel. nginx allocates its connections when it starts."
    )
}

/// Writes the instructions, or why there are none.
fn instructions(f: &mut fmt::Formatter<'_>, instructions: &Instructions) -> fmt::Result {
    let rows = match instructions {
        Instructions::Unavailable(reason) => {
            return writeln!(f, "\nInstructions per request: not counted, {reason}");
        }
        Instructions::PerRequest(rows) => rows,
    };
    writeln!(f, "\nInstructions in user space per request: HTTP/1.1, 64 connections, 1 KiB")?;
    let first = rows.first().map_or(f64::NAN, |(_, count)| *count);
    let mut table = Table::new(["", "instructions", "ratio"]);
    for (name, count) in rows {
        table.row([(*name).to_owned(), format!("{count:.0}"), format!("{:.2}", count / first)]);
    }
    write!(f, "{table}")
}
