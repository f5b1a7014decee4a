use std::fs;
use std::time::Duration;

use harmony_tests::free_port;
use http::StatusCode;
use serde::Serialize;
use tokio::time::Instant;

use crate::Outcome;
use crate::configuration::{self, echo, file, numbered};
use crate::connection::{Ask, Connection};
use crate::cpus::Cpus;
use crate::process::Process;
use crate::statistics::{median, worst};

/// How many pipelines there are, in a file each; one of them is edited.
const COUNTS: [usize; 2] = [100, 1000];

/// How long the new answer may take. Far longer than it should.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two edits, so that one does not wait for the last.
const PAUSE: Duration = Duration::from_millis(60);

/// Where the new file is written before it is renamed into place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Written {
    /// In a directory that no configuration is read from.
    Elsewhere,
    /// In the directory of the pipelines, under another name, as many tools do.
    Beside,
}

/// How long edits took until their first answer, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Reload {
    pub(crate) written: Written,
    pub(crate) pipelines: usize,
    pub(crate) median_millis: f64,
    pub(crate) worst_millis: f64,
}

/// Times edits of one pipeline file. The CPUs should be shared: on one CPU the asking, which never pauses,
/// would be measured with the applying.
///
/// # Errors
/// When a request is answered wrongly meanwhile, or the edit shows no effect.
pub(crate) async fn measure(times: u32, cpus: &Cpus) -> Outcome<Vec<Reload>> {
    let mut upstream = Process::upstream();
    upstream.until_answering(&Ask::new(upstream.address, "/")).await?;
    let mut all = Vec::new();
    for written in [Written::Elsewhere, Written::Beside] {
        for pipelines in COUNTS {
            let port = free_port();
            let files = configuration::many(port, upstream.address, pipelines);
            files.write("staging/new", "");
            let mut gateway = Process::harmony(cpus, files, port);
            gateway.until_answering(&Ask::new(gateway.address, "/p0000")).await?;
            let mut millis = Vec::new();
            for n in 0..times {
                tokio::time::sleep(PAUSE).await;
                millis.push(edit(&gateway, pipelines / 2, n, written).await?.as_secs_f64() * 1e3);
            }
            let (median_millis, worst_millis) = (median(millis.iter().copied()), worst(&millis));
            all.push(Reload { written, pipelines, median_millis, worst_millis });
        }
    }
    Ok(all)
}

/// Edits the pipeline at `at` and asks it until the answer is the new one.
async fn edit(gateway: &Process, at: usize, n: u32, written: Written) -> Outcome<Duration> {
    let (name, endpoint) = (numbered(at), format!("edit_{n}"));
    let ask = Ask::new(gateway.address, &format!("/{name}"));
    let mut connection = Connection::open(gateway.address).await?;
    connection.get(&ask).await?;
    let temporary = match written {
        Written::Elsewhere => "staging/new".to_owned(),
        Written::Beside => format!("{}.tmp", file(at)),
    };
    gateway.files().write(&temporary, &echo(&name, &endpoint));
    let root = gateway.files().path();
    let new = format!("\"endpoint\":\"{endpoint}\"");
    let start = Instant::now();
    fs::rename(root.join(temporary), root.join(file(at))).expect("a rename");
    loop {
        let answer = connection.get(&ask).await?;
        if answer.status() != StatusCode::OK {
            return Err(format!("reload: a request was answered with {} meanwhile", answer.status()));
        }
        if answer.body().windows(new.len()).any(|part| part == new.as_bytes()) {
            return Ok(start.elapsed());
        }
        if start.elapsed() > PATIENCE {
            return Err(format!("reload: the edit showed no effect within {PATIENCE:?}"));
        }
    }
}
