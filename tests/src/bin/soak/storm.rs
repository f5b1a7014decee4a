use std::fs;
use std::time::Duration;

use harmony_tests::fault_proxy::Weather;
use tokio::time::Instant;

use crate::change::{Change, PIPELINES, document, random};
use crate::world::{BY_HAND, World, hand_file};

/// How long a storm lasts.
const LENGTH: Duration = Duration::from_secs(20);

/// Where a process may be ended.
const POINTS: [&str; 18] = [
    "seen",
    "fetched",
    "announced",
    "acknowledged",
    "built",
    "bound",
    "staged",
    "written",
    "committed",
    "published",
    "looked",
    "probed",
    "settled",
    "reported",
    "delivered",
    "kept",
    "file-made",
    "file-renamed",
];

/// Lets everything happen at once.
pub(crate) async fn rage(world: &mut World) {
    let end = Instant::now() + LENGTH;
    let weather = Weather::seeded(world.rng.u64(..)).striking(world.rng.f64() * 0.5);
    world.network.weather(weather);
    let mut disk_until = None;
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(world.rng.u64(20..300))).await;
        // Ended where it was told to be.
        if world.gateway.as_mut().is_some_and(|gateway| !gateway.is_running()) {
            world.kills += 1;
            world.buried(true).await;
            start_somehow(world).await;
        }
        if disk_until.is_some_and(|until| Instant::now() > until) {
            let _ = fs::remove_file(world.disk_fault());
            disk_until = None;
        }
        match world.rng.u32(..100) {
            0..45 => change(world),
            45..75 => edit(world),
            75..83 => kill(world).await,
            83..88 => {
                world.network.stop().await;
                tokio::time::sleep(Duration::from_millis(world.rng.u64(100..1500))).await;
                world.network.start_again().await;
            }
            88..91 => {
                world.network.swallow(true);
                tokio::time::sleep(Duration::from_millis(world.rng.u64(100..1500))).await;
                world.network.swallow(false);
            }
            91..95 if disk_until.is_none() => {
                let codes = ["28", "30", "13", "5"];
                let code = codes[world.rng.usize(..codes.len())];
                fs::write(world.disk_fault(), code).expect("the real disk has room");
                disk_until = Some(Instant::now() + Duration::from_millis(world.rng.u64(100..2000)));
            }
            _ => {}
        }
    }
    world.network.clear_faults();
    let _ = fs::remove_file(world.disk_fault());
}

fn change(world: &mut World) {
    let (pipeline, version) = (world.rng.usize(..PIPELINES), world.changes.len() + 1);
    let (kind, toml, good) = random(&mut world.rng, pipeline, version);
    let id = world.cloud.change("edge", kind, &toml);
    world.changes.push(Change { id, pipeline, version, good });
}

/// Edits a file by hand, in one of the ways that people and tools do it.
fn edit(world: &mut World) {
    let n = world.rng.usize(..BY_HAND);
    world.by_hand[n] += 1;
    let (file, text) = (hand_file(n), document(&format!("hand{n}"), world.by_hand[n]));
    match world.rng.u32(..3) {
        0 => world.dir.write(&file, &text),
        1 => world.dir.replace(&file, &text),
        _ => {
            world.dir.remove(&file);
            world.dir.write(&file, &text);
        }
    }
    world.edits += 1;
}

/// Ends the process, in one of the ways that processes end, and starts it again.
async fn kill(world: &mut World) {
    let signal = if world.rng.u32(..4) == 0 { "TERM" } else { "KILL" };
    if let Some(gateway) = world.gateway.as_mut().filter(|_| true)
        && gateway.is_running()
    {
        gateway.signal(signal).await;
    }
    world.kills += 1;
    world.buried(true).await;
    start_somehow(world).await;
}

/// Every other process is to be ended at some step.
async fn start_somehow(world: &mut World) {
    let (point, times) = (POINTS[world.rng.usize(..POINTS.len())], world.rng.u32(..8));
    let armed = match world.rng.bool() {
        false => String::new(),
        true if times == 0 => format!("{point}=return"),
        true => format!("{point}={times}*off->return"),
    };
    world.start(&armed).await;
}
