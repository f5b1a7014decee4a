//! Throughput and CPU time of the proxies under load.

use serde::Serialize;

use crate::Outcome;
use crate::arguments::{Arguments, Only};
use crate::cpus::Cpus;
use crate::load::{Sample, load};
use crate::process::Process;
use crate::statistics::median;
use crate::subject::Subject;
use crate::tokens::Keys;

/// The medians of one proxy over all rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Throughput {
    pub(crate) name: &'static str,
    pub(crate) requests_per_second: f64,
    /// The median of the ratios to the first proxy in the same round.
    pub(crate) rate_ratio: f64,
    pub(crate) cpu_micros_per_request: f64,
    /// The median of the ratios of the first proxy's CPU time to this one's in the same round.
    pub(crate) cpu_ratio: f64,
    pub(crate) user_micros_per_request: f64,
    pub(crate) busy: f64,
    pub(crate) mean_micros: f64,
}

/// Measures the proxies in turn, round by round, so that a drift of the machine affects all of them equally.
///
/// # Errors
/// Fails if a response is wrong before the load. Failures under load are added to `failures`.
pub(crate) async fn measure(
    arguments: &Arguments,
    cpus: &Cpus,
    failures: &mut Vec<String>,
) -> Outcome<Vec<Throughput>> {
    let mut upstream = Process::upstream();
    let ready = crate::connection::GetRequest::new(upstream.address, "/");
    upstream.wait_until_serving(&ready).await?;
    let subjects = subjects(arguments, cpus, &upstream).await?;
    let mut rounds: Vec<Vec<Sample>> = Vec::new();
    for _ in 0..arguments.rounds {
        let mut round = Vec::new();
        for subject in &subjects {
            match load(&subject.proxy, &subject.request, arguments).await {
                Ok(sample) => round.push(sample),
                Err(error) => failures.push(format!("{}: {error}", subject.name)),
            }
        }
        // A round with a failure has no ratios.
        if round.len() == subjects.len() {
            rounds.push(round);
        }
    }
    if rounds.is_empty() {
        return Ok(Vec::new());
    }
    let row = |(n, subject): (usize, &Subject)| {
        let each = |value: fn(&Sample) -> f64| median(rounds.iter().map(|round| value(&round[n])));
        let rate = |sample: &Sample| sample.requests_per_second;
        let cpu = |sample: &Sample| sample.cpu_micros_per_request;
        Throughput {
            name: subject.name,
            requests_per_second: each(rate),
            rate_ratio: median(rounds.iter().map(|round| rate(&round[n]) / rate(&round[0]))),
            cpu_micros_per_request: each(cpu),
            cpu_ratio: median(rounds.iter().map(|round| cpu(&round[0]) / cpu(&round[n]))),
            user_micros_per_request: each(|sample| sample.user_micros_per_request),
            busy: each(|sample| sample.busy),
            mean_micros: each(|sample| sample.mean_micros),
        }
    };
    Ok(subjects.iter().enumerate().map(row).collect())
}

/// Starts one gateway that counts no requests, and others that do. All of them make and send on the ids of requests.
async fn observed(cpus: &Cpus, upstream: &Process) -> Outcome<Vec<Subject>> {
    let mut subjects = Vec::new();
    for (name, arguments) in [
        ("harmony-host, no request metrics", &["--no-request-metrics"][..]),
        ("harmony-host, metrics", &[]),
        (
            "harmony-host, metrics and access log",
            &["--access-log", "json", "--access-log-file", "access.log"],
        ),
        (
            "harmony-host, metrics and a sample of 1 %",
            &["--access-log", "json", "--access-log-file", "access.log", "--access-log-sample", "100"],
        ),
    ] {
        subjects.push(Subject::observed(name, arguments, cpus, upstream).await?);
    }
    Ok(subjects)
}

/// Starts the selected proxies, the minimal one first.
async fn subjects(arguments: &Arguments, cpus: &Cpus, upstream: &Process) -> Outcome<Vec<Subject>> {
    if arguments.only == Some(Only::Observability) {
        return observed(cpus, upstream).await;
    }
    let mut subjects = vec![Subject::smallest(cpus, upstream).await?];
    if arguments.only != Some(Only::Mesh) {
        subjects.push(Subject::plain(cpus, upstream).await?);
    }
    if arguments.only != Some(Only::Plain) {
        let verifying = |name, keys| Subject::verifying(name, keys, cpus, upstream);
        subjects.push(verifying("harmony-host, mesh HS256", Keys::Shared).await?);
        subjects.push(verifying("harmony-host, mesh RS256", Keys::rsa()).await?);
        subjects.push(Subject::sending(cpus, upstream).await?);
    }
    Ok(subjects)
}
