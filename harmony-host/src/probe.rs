use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(2);

/// Connects to every address a configuration newly listens on: live means that somebody answers.
///
/// # Errors
/// The first address that does not, and why.
pub(crate) async fn probe(addresses: impl Iterator<Item = SocketAddr>) -> Result<(), String> {
    for address in addresses {
        match tokio::time::timeout(LIMIT, TcpStream::connect(reachable(address))).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(format!("{address} was bound and does not answer: {error}")),
            Err(_) => {
                return Err(format!("{address} was bound and does not answer within {} s", LIMIT.as_secs()));
            }
        }
    }
    Ok(())
}

/// Where this machine reaches what listens on `address`.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
