//! The time from an edit of a file to the first response that shows it.

use std::fs;
use std::time::Duration;

use harmony_tests::free_port;
use http::StatusCode;
use serde::Serialize;
use tokio::time::Instant;

use crate::Outcome;
use crate::configuration::{self, echo, pipeline_file, pipeline_name};
use crate::connection::{Connection, GetRequest};
use crate::cpus::Cpus;
use crate::process::Process;
use crate::statistics::{median, worst};

/// The numbers of pipelines, each in its own file; one of them is edited.
const COUNTS: [usize; 3] = [100, 1000, 9000];

/// The time an edit has to take effect. Generous: a run that reaches it fails.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The pause between two edits, so that an edit does not wait for the previous one.
const PAUSE: Duration = Duration::from_millis(60);

/// The time from the start to the first measurement of the memory, without requests.
const IDLE: Duration = Duration::from_secs(1);

/// The place where the new file is written before it is renamed into place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Written {
    /// A directory outside the configuration.
    Elsewhere,
    /// The directory of the pipelines, under another name, as many tools do.
    Beside,
}

/// The time from an edit to the first response that shows it, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Reload {
    pub(crate) written: Written,
    pub(crate) pipelines: usize,
    pub(crate) median_millis: f64,
    pub(crate) worst_millis: f64,
    /// The resident memory of the gateway before the first edit and after the last one, in MiB.
    pub(crate) resident_mib: [f64; 2],
    /// The part of it that is not backed by files, such as the program itself.
    pub(crate) anonymous_mib: [f64; 2],
}

/// Measures edits of one pipeline file. The CPUs should be shared: on one CPU, the client's busy loop would slow down
/// the gateway.
///
/// # Errors
/// Fails if a response is wrong meanwhile, or if the edit has no effect.
pub(crate) async fn measure(times: u32, cpus: &Cpus) -> Outcome<Vec<Reload>> {
    let mut upstream = Process::upstream();
    upstream.wait_until_serving(&GetRequest::new(upstream.address, "/")).await?;
    let mut all = Vec::new();
    for written in [Written::Elsewhere, Written::Beside] {
        for pipelines in COUNTS {
            let port = free_port();
            let files = configuration::many(port, upstream.address, pipelines);
            files.write("staging/new", "");
            let mut gateway = Process::harmony(cpus, files, port);
            gateway.wait_until_serving(&GetRequest::new(gateway.address, "/p0000")).await?;
            tokio::time::sleep(IDLE).await;
            let memory = |gateway: &Process| ["VmRSS", "RssAnon"].map(|field| gateway.memory(field) / 1024.0);
            let before = memory(&gateway);
            let mut millis = Vec::new();
            for n in 0..times {
                tokio::time::sleep(PAUSE).await;
                millis.push(edit(&gateway, pipelines / 2, n, written).await?.as_secs_f64() * 1e3);
            }
            let (median_millis, worst_millis) = (median(millis.iter().copied()), worst(&millis));
            let after = memory(&gateway);
            let [resident_mib, anonymous_mib] = [0, 1].map(|field| [before[field], after[field]]);
            all.push(Reload { written, pipelines, median_millis, worst_millis, resident_mib, anonymous_mib });
        }
    }
    Ok(all)
}

/// Edits the pipeline at `at` and sends requests until a response shows the edit.
async fn edit(gateway: &Process, at: usize, n: u32, written: Written) -> Outcome<Duration> {
    let (name, endpoint) = (pipeline_name(at), format!("edit_{n}"));
    let request = GetRequest::new(gateway.address, &format!("/{name}"));
    let mut connection = Connection::open(gateway.address).await?;
    connection.get(&request).await?;
    let temporary = match written {
        Written::Elsewhere => "staging/new".to_owned(),
        Written::Beside => format!("{}.tmp", pipeline_file(at)),
    };
    gateway.files().write(&temporary, &echo(&name, &endpoint));
    let root = gateway.files().path();
    let new = format!("\"endpoint\":\"{endpoint}\"");
    let start = Instant::now();
    fs::rename(root.join(temporary), root.join(pipeline_file(at))).expect("a rename");
    loop {
        let answer = connection.get(&request).await?;
        if answer.status() != StatusCode::OK {
            return Err(format!("reload: a request received {} meanwhile", answer.status()));
        }
        if answer.body().windows(new.len()).any(|part| part == new.as_bytes()) {
            return Ok(start.elapsed());
        }
        if start.elapsed() > TIMEOUT {
            return Err(format!("reload: the edit had no effect within {TIMEOUT:?}"));
        }
    }
}
