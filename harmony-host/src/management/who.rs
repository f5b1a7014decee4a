//! The user behind a connection on this machine.

use std::fs::File;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::audit::Actor;
use crate::storage::users;

/// The size limit of a table of connections, in bytes. A line has about 150.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Returns who sends a request from `peer`. For a peer on the loopback the operating system knows the user whose process has
/// the other end of the connection; that may be a proxy.
pub(super) async fn actor(peer: SocketAddr) -> Actor {
    let is_here = peer.ip().to_canonical().is_loopback();
    let uid = match is_here {
        true => tokio::task::spawn_blocking(move || uid_of(peer)).await.ok().flatten(),
        false => None,
    };
    Actor::Peer { address: peer, uid, user: uid.and_then(users::name_of) }
}

/// Returns the user of the socket with this local address, on Linux.
fn uid_of(peer: SocketAddr) -> Option<u32> {
    ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().find_map(|table| {
        let mut text = String::new();
        File::open(table).ok()?.take(MAX_BYTES).read_to_string(&mut text).ok()?;
        text.lines().skip(1).find_map(|line| uid_in(line, peer))
    })
}

/// Returns the user in a line of the table, if it is that of the socket.
fn uid_in(line: &str, peer: SocketAddr) -> Option<u32> {
    let mut fields = line.split_ascii_whitespace();
    let (ip, port) = fields.nth(1)?.split_once(':')?;
    let is_peer = u16::from_str_radix(port, 16) == Ok(peer.port())
        && address(ip).is_some_and(|ip| ip.to_canonical() == peer.ip().to_canonical());
    // Behind the local address: the remote one, the state, two queues, two timers, and the retransmissions.
    if is_peer { fields.nth(5)?.parse().ok() } else { None }
}

/// Parses an address: words of 32 bits in the order of this machine, whose bytes are in that of the network.
fn address(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for word in text.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn lines_of_the_table_are_read() {
        if cfg!(target_endian = "little") {
            let line = "   0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 12345 1";
            assert_eq!(uid_in(line, SocketAddr::from(([127, 0, 0, 1], 8080))), Some(1000));
            assert_eq!(uid_in(line, SocketAddr::from(([127, 0, 0, 1], 8081))), None);
            let mapped: SocketAddr = "[::ffff:127.0.0.1]:8080".parse().unwrap();
            assert_eq!(uid_in(line, mapped), Some(1000));
            assert_eq!(address("00000000000000000000000001000000"), Some(Ipv6Addr::LOCALHOST.into()));
        }
    }

    #[test]
    fn the_user_of_a_connection_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let own = std::fs::metadata("/proc/self").unwrap().uid();
        assert_eq!(uid_of(client.local_addr().unwrap()), Some(own));
    }
}
