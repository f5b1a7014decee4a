//! The time of a lookup in the gateway's caches, beside the official SDK and a plain verification of a token.

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use harmony_host::{Moment, VerifiedTokens};
use harmony_tests::control_plane::ControlPlane;
use harmony_tests::rsa_pair;
use http::HeaderValue;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use provider_api::{Lease, PerThread};
use runbeam_sdk::RunbeamClient;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Handle};
use tokio::time::Instant;

use crate::Outcome;
use crate::statistics::median;

/// The duration of one measurement, and the number of measurements, of which the median counts: other processes disturb some.
const TIME: Duration = Duration::from_millis(100);
const TIMES: usize = 9;

/// The time per call with one and with two threads, in nanoseconds. CPU time where nothing waits: other processes on the
/// machine do not count.
#[derive(Debug, Serialize)]
pub(crate) struct Cache {
    pub(crate) name: &'static str,
    pub(crate) nanos: [f64; 2],
}

/// Measures each cache and its alternative. The control plane and the SDK run in a runtime of their own.
///
/// # Errors
/// Fails if the control plane or the SDK does.
pub(crate) fn measure() -> Outcome<Vec<Cache>> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| format!("caches: {error}"))?;
    let mut rows = Vec::new();
    rows.push(row(
        Clock::Cpu,
        "reading both clocks",
        || (),
        |()| {
            black_box((SystemTime::now(), Instant::now()));
        },
    ));
    references_and_tokens(&mut rows, runtime.handle())?;
    verified_tokens(&mut rows);
    Ok(rows)
}

fn references_and_tokens(rows: &mut Vec<Cache>, runtime: &Handle) -> Outcome<()> {
    let (cloud, bearer, mesh) = runtime.block_on(control_plane());
    let sdk = RunbeamClient::new(cloud.url());
    let resolved: Arc<Lease<String>> = Lease::new();
    resolved.hold("http://127.0.0.1:1/r4".to_owned(), Duration::from_secs(3600));
    rows.push(row(
        Clock::Cpu,
        "a cached reference",
        || (),
        |()| {
            let valid = resolved.get(|| unreachable!("the value is cached")).now_or_never();
            black_box(valid.expect("a cached value").expect("a value").len());
        },
    ));
    let reference = "runbeam.acme.ingress.name.fhir";
    rows.push(row(
        Clock::Wall,
        "the SDK's resolve",
        || (),
        |()| {
            black_box(
                runtime.block_on(sdk.resolve_reference(bearer.as_str(), reference)).expect("a resource"),
            );
        },
    ));

    let header = || HeaderValue::try_from(format!("Bearer {}", "x".repeat(800))).expect("a header");
    let issued: Arc<Lease<(PerThread<HeaderValue>, SystemTime)>> = Lease::new();
    let end = SystemTime::now() + Duration::from_secs(3600);
    issued.hold((PerThread::new(header), end), Duration::from_secs(3600));
    rows.push(row(
        Clock::Cpu,
        "a cached mesh token",
        || (),
        |()| {
            let fetch = || unreachable!("the value is cached");
            let valid = issued.get_if(|(_, until)| SystemTime::now() < *until, fetch).now_or_never();
            black_box(valid.expect("a cached value").expect("a value").0.get().clone());
        },
    ));
    rows.push(row(
        Clock::Wall,
        "the SDK's token call",
        || (),
        |()| {
            let call = sdk.request_mesh_token(bearer.as_str(), mesh.as_str(), "http://127.0.0.1:1/r4");
            black_box(runtime.block_on(call).expect("a token"));
        },
    ));
    Ok(())
}

fn verified_tokens(rows: &mut Vec<Cache>) {
    let (private, public) = rsa_pair();
    let claims = json!({ "iss": "https://cloud", "sub": "gateway:1", "aud": "mesh:1", "mesh_id": "1", "jti": "1",
                         "dest_url": "https://a.example/r4", "source_team": "1", "iat": 1, "exp": 4_000_000_000_u64 });
    let key = EncodingKey::from_rsa_pem(private.as_bytes()).expect("a key");
    let jwt = encode(&Header::new(Algorithm::RS256), &claims, &key).expect("a token");
    let verified = VerifiedTokens::new();
    let url = "https://a.example/r4";
    let now = SystemTime::now();
    let (end, now) = (now + Duration::from_secs(300), Moment::now(now));
    verified.remember(&jwt, url, &Arc::from("gateway:1"), end, now);
    // Each request has its own copy of the token.
    rows.push(row(
        Clock::Cpu,
        "a verified token",
        || jwt.clone(),
        |jwt| {
            let now = Moment::now(SystemTime::now());
            black_box(verified.sender(jwt, url, now).expect("a verified token"));
        },
    ));
    let key = DecodingKey::from_rsa_pem(public.as_bytes()).expect("a key");
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_aud = false;
    rows.push(row(
        Clock::Cpu,
        "a plain verification",
        || jwt.clone(),
        |jwt| {
            black_box(decode::<Value>(jwt.as_str(), &key, &validation).expect("a valid token"));
        },
    ));
}

/// Starts a control plane with an ingress and a mesh. Returns it with the token of a gateway and the id of the mesh.
async fn control_plane() -> (ControlPlane, String, String) {
    let cloud = ControlPlane::start().await;
    let machine = cloud.authorize("acme", "edge");
    cloud.seed(
        "edge",
        "pipeline",
        "[pipelines.api]\nnetworks = []\nendpoints = [\"api\"]\nbackends = [\"api\"]\n\
         [pipelines.api.mesh.ingress.fhir]\ntype = \"http\"\nurls = [\"http://127.0.0.1:1/r4\"]\nendpoint = \"api\"\n\
         [pipelines.api.mesh.egress.out]\ntype = \"http\"\nbackend = \"api\"\n\
         [endpoints.api]\nservice = \"http\"\n[backends.api]\nservice = \"echo\"\n",
    );
    let mesh = cloud.mesh(
        "edge",
        "[mesh.m]\ntype = \"http\"\nprovider = \"runbeam\"\ningress = [\"fhir\"]\negress = [\"out\"]\n",
    );
    (cloud, machine.machine_token, mesh)
}

/// The clock of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// The CPU time of the thread.
    Cpu,
    /// The time that passes, for calls that wait.
    Wall,
}

/// Returns the CPU time of this thread; `None` where the kernel does not tell it.
fn cpu_nanos() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split(' ').next()?.parse().ok()
}

fn row<T>(clock: Clock, name: &'static str, make: impl Fn() -> T + Sync, call: impl Fn(&T) + Sync) -> Cache {
    let nanos =
        [1, 2].map(|threads| median((0..TIMES).map(|_| nanos_per_call(clock, threads, &make, &call))));
    Cache { name, nanos }
}

/// Returns the mean time per call of threads that call at the same time.
fn nanos_per_call<T>(
    clock: Clock,
    threads: usize,
    make: &(impl Fn() -> T + Sync),
    call: &(impl Fn(&T) + Sync),
) -> f64 {
    let start = Barrier::new(threads);
    let calls = || {
        let own = make();
        start.wait();
        let (cpu, began, mut calls) = (cpu_nanos(), Instant::now(), 0_u64);
        while began.elapsed() < TIME {
            for _ in 0..64 {
                call(&own);
            }
            calls += 64;
        }
        let wall = began.elapsed().as_secs_f64() * 1e9;
        let cpu = cpu_nanos().zip(cpu).map(|(after, before)| after - before).filter(|_| clock == Clock::Cpu);
        cpu.unwrap_or(wall) / calls as f64
    };
    let each: Vec<f64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(calls)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
    });
    each.iter().sum::<f64>() / threads as f64
}
