//! Benchmark of the gateway's caches, beside the official SDK and a plain token verification, in one run.
//!
//! `cargo bench -p harmony-tests --bench caches`

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use harmony_host::VerifiedTokens;
use harmony_tests::control_plane::ControlPlane;
use harmony_tests::rsa_pair;
use http::HeaderValue;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use provider_api::Lease;
use runbeam_sdk::RunbeamClient;
use serde_json::{Value, json};
use tokio::time::Instant;

/// The duration of each measurement.
const TIME: Duration = Duration::from_millis(800);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(bench());
}

async fn bench() {
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
    let sdk = Arc::new(RunbeamClient::new(cloud.url()));
    let token = Arc::new(machine.machine_token.clone());

    println!(
        "nanoseconds per call with 1 and 2 threads; the last column is the slowdown of the alternative\n"
    );
    let resolved: Arc<Lease<String>> = Lease::new();
    resolved.hold("http://127.0.0.1:1/r4".to_owned(), Duration::from_secs(3600));
    let ours = measure(move || {
        let resolved = Arc::clone(&resolved);
        async move {
            let valid = resolved.get(|| unreachable!("the value is cached")).await;
            black_box(valid.expect("a cached value").len());
        }
    });
    let reference = "runbeam.acme.ingress.name.fhir";
    let (client, bearer) = (Arc::clone(&sdk), Arc::clone(&token));
    let theirs = measure(move || {
        let (client, bearer) = (Arc::clone(&client), Arc::clone(&bearer));
        async move {
            let answer = client.resolve_reference(bearer.as_str(), reference).await;
            black_box(answer.expect("a resource"));
        }
    });
    row("a cached reference", "the SDK's resolve", ours.await, theirs.await);

    let cached: Arc<Lease<HeaderValue>> = Lease::new();
    cached.hold(HeaderValue::from_static("Bearer x.y.z"), Duration::from_secs(3600));
    let ours = measure(move || {
        let cached = Arc::clone(&cached);
        async move {
            let valid = cached.get(|| unreachable!("the value is cached")).await;
            black_box(HeaderValue::clone(&valid.expect("a cached value")));
        }
    });
    let (client, bearer, mesh) = (Arc::clone(&sdk), Arc::clone(&token), Arc::new(mesh));
    let theirs = measure(move || {
        let (client, bearer, mesh) = (Arc::clone(&client), Arc::clone(&bearer), Arc::clone(&mesh));
        async move {
            let answer =
                client.request_mesh_token(bearer.as_str(), mesh.as_str(), "http://127.0.0.1:1/r4").await;
            black_box(answer.expect("a token"));
        }
    });
    row("a cached mesh token", "the SDK's token call", ours.await, theirs.await);

    let (private, public) = rsa_pair();
    let claims = json!({ "iss": "https://cloud", "sub": "gateway:1", "aud": "mesh:1", "mesh_id": "1", "jti": "1",
                         "dest_url": "https://a.example/r4", "source_team": "1", "iat": 1, "exp": 4_000_000_000_u64 });
    let key = EncodingKey::from_rsa_pem(private.as_bytes()).expect("a key");
    let jwt = Arc::new(encode(&Header::new(Algorithm::RS256), &claims, &key).expect("a token"));
    let verified = Arc::new(VerifiedTokens::new());
    let url = "https://a.example/r4";
    let now = SystemTime::now();
    verified.remember(&jwt, url, &Arc::from("gateway:1"), now + Duration::from_secs(300), now);
    let known = Arc::clone(&jwt);
    let ours = measure(move || {
        let sender = verified.sender(&known, url, SystemTime::now());
        black_box(sender.expect("a verified token"));
        std::future::ready(())
    });
    let key = Arc::new(DecodingKey::from_rsa_pem(public.as_bytes()).expect("a key"));
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_aud = false;
    let validation = Arc::new(validation);
    let theirs = measure(move || {
        let claims = decode::<Value>(jwt.as_str(), &key, &validation);
        black_box(claims.expect("a valid token"));
        std::future::ready(())
    });
    row("a verified token", "a plain verification", ours.await, theirs.await);
}

/// Measures a call and returns the nanoseconds per call with one thread and with two.
async fn measure<F: Future<Output = ()> + Send>(call: impl Fn() -> F + Clone + Send + 'static) -> [f64; 2] {
    let mut nanoseconds = [0.0; 2];
    for (threads, result) in [1_usize, 2].into_iter().zip(&mut nanoseconds) {
        let tasks = (0..threads).map(|_| {
            let call = call.clone();
            tokio::spawn(async move {
                let (began, mut calls) = (Instant::now(), 0_u64);
                while began.elapsed() < TIME {
                    for _ in 0..16 {
                        call().await;
                    }
                    calls += 16;
                }
                began.elapsed().as_secs_f64() * 1e9 / calls as f64
            })
        });
        let each = join_all(tasks).await;
        *result = each.into_iter().map(|task| task.expect("a task")).sum::<f64>() / threads as f64;
    }
    nanoseconds
}

fn row(ours: &str, theirs: &str, our: [f64; 2], their: [f64; 2]) {
    for (threads, (our, their)) in (1..).zip(our.into_iter().zip(their)) {
        println!(
            "{threads} thread{}  {ours:<28} {our:>10.0} ns   {theirs:<22} {their:>10.0} ns   {:>8.0} x",
            if threads == 1 { " " } else { "s" },
            their / our
        );
    }
}
