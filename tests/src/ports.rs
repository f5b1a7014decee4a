use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which the operating system takes ports for outgoing connections.
const FIRST: u16 = 12_000;
const LAST: u16 = 31_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A TCP port of the loopback that nobody listens on, and that no other call in this process gets.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    // Processes that start one after the other begin far from each other.
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
