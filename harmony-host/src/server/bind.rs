//! Binding of a listening socket.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::storage::io_error::explain;

/// The maximum number of connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// The bytes of responses that the operating system takes before it could send them. A larger queue would hide the pace of
/// a client, and needs memory for each one that is slow.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 * 1024;

/// An address that could not be bound.
#[derive(Debug)]
pub(crate) struct BindError {
    pub(crate) address: SocketAddr,
    pub(crate) network: Arc<str>,
    pub(crate) error: io::Error,
}

/// The first port that needs no capability, unless the system has another limit.
const FIRST_OPEN_PORT: u16 = 1024;

impl BindError {
    /// Returns the remedy.
    pub(crate) fn remedy(&self) -> String {
        let port = self.address.port();
        match self.error.kind() {
            ErrorKind::PermissionDenied if port < FIRST_OPEN_PORT => format!(
                "port {port} needs the capability CAP_NET_BIND_SERVICE (AmbientCapabilities= in the unit of systemd, \
                 --cap-add=NET_BIND_SERVICE for a container), or configure a port from {FIRST_OPEN_PORT} on"
            ),
            ErrorKind::PermissionDenied => {
                "permit the gateway to listen there: look at SELinux, AppArmor and the sandbox of its unit"
                    .to_owned()
            }
            ErrorKind::AddrInUse => format!(
                "free the address: `ss -ltnp 'sport = :{port}'` shows which process has it; or configure another one"
            ),
            ErrorKind::AddrNotAvailable => format!(
                "no interface of this machine has {}; `ip address` lists the addresses; configure one of those, or {}",
                self.address.ip(),
                if self.address.is_ipv6() { "::" } else { "0.0.0.0" }
            ),
            _ if self.address.is_ipv6() => {
                "check that this machine has IPv6, or configure an IPv4 address".to_owned()
            }
            _ => "configure another address".to_owned(),
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, explain(&self.error).0)
    }
}

/// Binds `address` and listens. `overlapping` are sockets of this gateway on an overlapping address, which close once
/// the new one serves. They share the port with it until then.
///
/// SO_REUSEPORT is set only during the bind. A socket that kept it would let another process of the same user bind the
/// port and take connections.
///
/// # Errors
/// The error of the operating system.
pub(super) fn bind<'a>(
    address: SocketAddr,
    overlapping: impl Iterator<Item = &'a Socket>,
) -> io::Result<(TcpListener, Socket)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    let shared: Vec<&Socket> = overlapping.collect();
    let bound = share(&shared, &socket, true)
        .and_then(|()| limit_unsent(&socket))
        .and_then(|()| socket.bind(&address.into()))
        .and_then(|()| socket.listen(BACKLOG));
    share(&shared, &socket, false)?;
    bound?;
    let handle = socket.try_clone()?;
    Ok((TcpListener::from_std(socket.into())?, handle))
}

/// Limits the queue of unsent bytes of each connection that is accepted.
#[cfg(target_os = "linux")]
fn limit_unsent(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)
}

/// Other systems have no such option, or not for all connections of a listener.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn limit_unsent(_: &Socket) -> io::Result<()> {
    Ok(())
}

/// Sets or clears SO_REUSEPORT on `shared` and `own`.
fn share(shared: &[&Socket], own: &Socket, on: bool) -> io::Result<()> {
    if shared.is_empty() {
        return Ok(());
    }
    shared.iter().copied().chain([own]).try_for_each(|socket| socket.set_reuse_port(on))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each failure has the remedy for it.
    #[test]
    fn remedies_fit_the_failure() {
        let remedy = |address: &str, code| {
            let error = io::Error::from_raw_os_error(code);
            BindError { address: address.parse().unwrap(), network: "lan".into(), error }.remedy()
        };
        assert!(remedy("0.0.0.0:80", 13).contains("CAP_NET_BIND_SERVICE"));
        assert!(remedy("0.0.0.0:80", 13).contains("a port from 1024 on"));
        assert!(remedy("0.0.0.0:8080", 13).contains("SELinux"));
        assert!(remedy("127.0.0.1:8080", 98).starts_with("free the address"));
        assert!(remedy("192.0.2.1:8080", 99).contains("no interface of this machine has 192.0.2.1"));
        assert!(remedy("[::1]:8080", 97).contains("has IPv6"));
    }

    /// A wildcard replaces one address without a gap, and no other socket can bind the port meanwhile.
    #[tokio::test]
    async fn wildcard_takes_over_from_one_address() {
        let (narrow, handle) = bind("127.0.0.1:0".parse().unwrap(), std::iter::empty()).unwrap();
        let port = narrow.local_addr().unwrap().port();
        let wide: SocketAddr = format!("0.0.0.0:{port}").parse().unwrap();
        assert!(bind(wide, std::iter::empty()).is_err(), "another process could take the port");
        let taken = bind(wide, [&handle].into_iter()).unwrap();
        assert!(bind(wide, std::iter::empty()).is_err(), "the port stayed shared");
        drop(narrow);
        drop(handle);
        let (client, accepted) =
            tokio::join!(tokio::net::TcpStream::connect(("127.0.0.1", port)), taken.0.accept());
        assert!(client.is_ok() && accepted.is_ok());
    }
}
