//! Benchmark of harmony-host beside a minimal hyper proxy, nginx and haproxy, in one run on one machine.
//! The benchmark asserts no duration; it fails when a response is wrong.
//!
//! `cargo run --release -p harmony-tests --bin bench`

mod arguments;
mod bulk;
mod caches;
mod configuration;
mod connection;
mod cpus;
mod load;
mod machine;
mod memory;
mod process;
mod process_tree;
mod proxy;
mod reload;
mod report;
mod smallest_proxy;
mod start;
mod statistics;
mod subject;
mod throughput;
mod tokens;
mod upstream;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Arguments, Mode, Only};
use crate::cpus::Cpus;
use crate::machine::Machine;
use crate::report::Report;

/// The limit of everything except the load.
const LIMIT: Duration = Duration::from_secs(450);

/// A measurement, or a message with the cause of its failure.
type Outcome<T> = Result<T, String>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.mode {
        Some(Mode::SmallestProxy { listen, upstream }) => {
            // The same number of threads as the gateway's runtime.
            let runtime = runtime(&mut Builder::new_multi_thread());
            runtime.block_on(smallest_proxy::serve(listen, upstream))
        }
        Some(Mode::Upstream { listen }) => {
            runtime(&mut Builder::new_current_thread()).block_on(upstream::serve(listen))
        }
        // One thread, so that moving it to another CPU moves everything.
        None => runtime(&mut Builder::new_current_thread()).block_on(bench(&arguments)),
    }
}

fn runtime(builder: &mut Builder) -> Runtime {
    builder.enable_all().build().expect("an asynchronous runtime")
}

async fn bench(arguments: &Arguments) -> ExitCode {
    let machine = Machine::detect();
    // The build uses all CPUs, so it comes before the split.
    harmony_tests::binary();
    let cpus = Cpus::split();
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be received");
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(LIMIT + arguments.load_time(), measure(arguments, cpus, machine)) => {
            outcome.unwrap_or_else(|_| Err("the benchmark took too long".to_owned()))
        }
        _ = terminate.recv() => Err("interrupted".to_owned()),
        _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
    };
    match outcome {
        Ok(report) => {
            match arguments.json {
                true => println!("{:#}", report.json()),
                false => print!("{report}"),
            }
            for error in &report.wrong {
                eprintln!("error: {error}");
            }
            if report.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: &Arguments, cpus: Cpus, machine: Machine) -> Outcome<Report> {
    let mut report = Report::new(machine, &cpus);
    let only = arguments.only;
    if only.is_none_or(|only| matches!(only, Only::Plain | Only::Mesh | Only::Observability)) {
        report.throughput = Some(throughput::measure(arguments, &cpus, &mut report.wrong).await?);
    }
    if only.is_none_or(|only| only == Only::Start) {
        report.start = Some(start::measure(&cpus).await?);
    }
    if only.is_none_or(|only| only == Only::Memory) {
        report.memory = Some(memory::measure(&cpus).await?);
    }
    if only == Some(Only::Proxy) {
        report.proxy = Some(proxy::measure(arguments, &cpus, &mut report.wrong).await?);
    }
    // Last, because these remove the pinning.
    let cpus = cpus.shared();
    if only.is_none_or(|only| only == Only::Reload) {
        report.reload = Some(reload::measure(arguments.reloads, &cpus).await?);
    }
    if only.is_none_or(|only| only == Only::Caches) {
        let measured = tokio::task::spawn_blocking(caches::measure).await;
        report.caches = Some(measured.map_err(|error| format!("caches: {error}"))??);
    }
    if only.is_none_or(|only| only == Only::Bulk) {
        report.bulk = Some(bulk::measure(&arguments.changes, &cpus).await?);
    }
    Ok(report)
}
