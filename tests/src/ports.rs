//! Free TCP ports for tests.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// The first port. The range is below the one that Linux uses for outgoing connections, which could take a port.
const FIRST: u16 = 12_000;
const LAST: u16 = 31_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Returns a loopback TCP port without a listener. No other call in this process returns the same port.
///
/// # Panics
/// Panics if every port is in use.
pub fn free_port() -> u16 {
    // Processes with consecutive ids start at distant ports, so that parallel test runs do not collide.
    let spread = std::process::id().wrapping_mul(2_654_435_761) % u32::from(LAST - FIRST);
    let spread = u16::try_from(spread).unwrap_or(0);
    for _ in FIRST..LAST {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (spread + step % (LAST - FIRST)) % (LAST - FIRST);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {LAST}");
}
