//! The hostile soak: a gateway with few descriptors and no usable stderr, among clients, backends and a control
//! plane that misbehave.

mod backend_clients;
mod crowd;
mod findings;
mod lag;
mod neighbours;
mod process;
mod rogue_backends;
mod rogue_cloud;
mod rogue_http1;
mod scene;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;

use self::findings::Findings;
use self::process::Stderr;
use self::scene::Scene;

/// The time between two lines of progress.
const MINUTE: Duration = Duration::from_secs(60);

/// Runs `program` with each variant of stderr for half of `minutes`. Fails on any violation.
pub(crate) async fn run(program: &Path, minutes: f64, seed: u64) -> ExitCode {
    let mut violations = 0;
    for (n, stderr) in [Stderr::Closed, Stderr::Unread].into_iter().enumerate() {
        println!("{stderr}: {:.1} min among hostile clients", minutes / 2.0);
        let findings = Findings::default();
        attack(program, stderr, MINUTE.mul_f64(minutes / 2.0), seed.wrapping_add(n as u64), &findings).await;
        for line in findings.lines() {
            println!("VIOLATION {line}");
        }
        violations += findings.count();
        println!("{stderr}: {} violations; {}", findings.count(), findings.summary());
    }
    println!("violations: {violations}");
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn attack(program: &Path, stderr: Stderr, duration: Duration, seed: u64, findings: &Findings) {
    let Some(mut scene) = Scene::start(program, stderr, findings).await else { return };
    let before = scene.calm_usage().await;
    println!("before: {before}");
    let start = Instant::now();
    scene.let_in_the_crowd(seed);
    while start.elapsed() < duration && scene.is_running(findings) {
        let next = MINUTE.min(duration.saturating_sub(start.elapsed()));
        scene.edit_for(next, findings).await;
        println!("{:4} s: {}, {}", start.elapsed().as_secs(), scene.usage(), findings.summary());
    }
    scene.send_the_crowd_away(before, findings).await;
    scene.say_goodbye(findings).await;
}
