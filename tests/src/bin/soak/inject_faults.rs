//! The first phase of a soak round: changes, edits and faults at random.

use std::fs;
use std::time::Duration;

use harmony_tests::fault_proxy::RandomFaults;
use tokio::time::Instant;

use crate::change::{Change, PIPELINES, document, random};
use crate::world::{BY_HAND, World, hand_file};

/// The duration of the phase.
const DURATION: Duration = Duration::from_secs(20);

/// The failpoints at which a process may be killed.
const FAILPOINTS: [&str; 18] = [
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

/// Issues changes, edits files and injects faults until the phase ends.
pub(crate) async fn run(world: &mut World) {
    let end = Instant::now() + DURATION;
    let faults = RandomFaults::seeded(world.rng.u64(..)).with_probability(world.rng.f64() * 0.5);
    world.network.randomize(faults);
    let mut disk_until = None;
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(world.rng.u64(20..300))).await;
        // A failpoint has killed the process.
        if world.gateway.as_mut().is_some_and(|gateway| !gateway.is_running()) {
            world.kills += 1;
            world.reap(true).await;
            start_maybe_armed(world).await;
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
                world.network.restart().await;
            }
            88..91 => {
                world.network.set_unresponsive(true);
                tokio::time::sleep(Duration::from_millis(world.rng.u64(100..1500))).await;
                world.network.set_unresponsive(false);
            }
            91..95 if disk_until.is_none() => {
                let codes = ["28", "30", "13", "5"];
                let code = codes[world.rng.usize(..codes.len())];
                fs::write(world.disk_fault(), code).expect("the disk of the machine has space");
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
    let (kind, toml, valid) = random(&mut world.rng, pipeline, version);
    let id = world.cloud.change("edge", kind, &toml);
    world.changes.push(Change { id, pipeline, version, valid });
}

/// Edits a file in one of the ways in which editors and tools write files.
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

/// Kills the process by SIGKILL or SIGTERM and restarts it.
async fn kill(world: &mut World) {
    let signal = if world.rng.u32(..4) == 0 { "TERM" } else { "KILL" };
    if let Some(gateway) = world.gateway.as_mut().filter(|_| true)
        && gateway.is_running()
    {
        gateway.signal(signal).await;
    }
    world.kills += 1;
    world.reap(true).await;
    start_maybe_armed(world).await;
}

/// Starts a process, every second time with a random failpoint.
async fn start_maybe_armed(world: &mut World) {
    let (point, times) = (FAILPOINTS[world.rng.usize(..FAILPOINTS.len())], world.rng.u32(..8));
    let armed = match world.rng.bool() {
        false => String::new(),
        true if times == 0 => format!("{point}=return"),
        true => format!("{point}={times}*off->return"),
    };
    world.start_gateway(&armed).await;
}
