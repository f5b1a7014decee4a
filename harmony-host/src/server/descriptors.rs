//! The file descriptors of the process: its limit, and the connections that it permits.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The descriptors that are kept for everything but client connections and their connections to backends: listeners, the
/// management API with its 64 connections, configuration files, the control plane, DNS lookups and probes.
const RESERVED: u64 = 192;

/// A client connection needs two descriptors: its own, and that of the connection to a backend.
const PER_CONNECTION: u64 = 2;

/// The limits of the number of connections, whatever the limit of descriptors is.
const MIN_CONNECTIONS: u64 = 16;
const MAX_CONNECTIONS: u64 = 16_384;

/// Below this number of connections the log has a warning.
const FEW_CONNECTIONS: u64 = 1024;

/// Returns the number of client connections that the limit of descriptors permits.
pub(crate) fn connections() -> usize {
    permitted(soft_limit())
}

/// Raises the soft limit of descriptors as far as the connections can use it and the hard limit permits, and logs the
/// result. For the start of a process of its own: an application that embeds the gateway sets its limit itself.
pub(crate) fn raise() {
    let (found, hard) = (soft_limit(), limit().maximum);
    let wanted = MAX_CONNECTIONS * PER_CONNECTION + RESERVED;
    let possible = wanted.min(hard.unwrap_or(u64::MAX));
    if possible > found {
        let raised = Rlimit { current: Some(possible), maximum: hard };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the limit of open files could not be raised");
        }
    }
    let (limit, connections) = (soft_limit(), connections());
    if connections < FEW_CONNECTIONS as usize {
        tracing::warn!(
            found,
            limit,
            connections,
            "few open files are permitted; raise the limit (LimitNOFILE= in the unit of systemd, --ulimit nofile= for a \
             container) for more connections"
        );
    } else {
        tracing::info!(found, limit, connections, "open files");
    }
}

fn limit() -> Rlimit {
    getrlimit(Resource::Nofile)
}

fn soft_limit() -> u64 {
    limit().current.unwrap_or(u64::MAX)
}

fn permitted(descriptors: u64) -> usize {
    let connections = descriptors.saturating_sub(RESERVED) / PER_CONNECTION;
    connections.clamp(MIN_CONNECTIONS, MAX_CONNECTIONS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_follow_the_limit() {
        for (descriptors, connections) in
            [(0, 16), (64, 16), (256, 32), (512, 160), (1024, 416), (65_536, 16_384), (u64::MAX, 16_384)]
        {
            assert_eq!(permitted(descriptors), connections, "{descriptors}");
        }
    }
}
