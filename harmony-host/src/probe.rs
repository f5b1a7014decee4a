use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(2);

/// Asks every address that a configuration newly listens on: live means that somebody answers. Cleartext
/// listeners are asked over HTTP; of a TLS listener it is known that it accepts, its certificate was checked
/// when it was built.
///
/// # Errors
/// The first address that does not answer, and why.
pub(crate) async fn probe(addresses: impl Iterator<Item = (SocketAddr, bool)>) -> Result<(), String> {
    for (address, tls) in addresses {
        match tokio::time::timeout(LIMIT, ask(reachable(address), tls)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(format!("{address} was bound and does not answer: {error}")),
            Err(_) => {
                return Err(format!("{address} was bound and does not answer within {} s", LIMIT.as_secs()));
            }
        }
    }
    Ok(())
}

async fn ask(address: SocketAddr, tls: bool) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    if tls {
        return Ok(());
    }
    // About the server as a whole (RFC 9110, section 9.3.7): reaches no route and no backend.
    stream.write_all(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut first = [0; 5];
    stream.read_exact(&mut first).await?;
    match &first == b"HTTP/" {
        true => Ok(()),
        false => Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "what answers speaks no HTTP")),
    }
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
