//! nginx and haproxy as processes of the benchmark.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use harmony_tests::{Identity, Workdir};

use crate::cpus::Place;
use crate::process::Process;

/// A program that may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nginx,
    Haproxy,
}

impl Kind {
    /// The name of the program.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    /// Returns true if the program is in PATH or in /usr/sbin, which not every user has in PATH.
    pub(super) fn is_installed(self) -> bool {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&paths).chain(["/usr/sbin".into()]);
        places.any(|place| place.join(self.program()).is_file())
    }

    /// Starts the program with `config`, in which `DIR` is its directory. The server listens on `port`.
    pub(super) fn start(self, place: Place<'_>, files: Workdir, config: &str, port: u16) -> Process {
        // The worker of nginx gives up its privileges, and must still reach the files.
        fs::set_permissions(files.path(), Permissions::from_mode(0o755))
            .expect("the owner may change a mode");
        let directory = files.path().to_str().expect("UTF-8").to_owned();
        files.write("config", &config.replace("DIR", &directory));
        let mut command = Command::new(self.program());
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        match self {
            Self::Nginx => command.args(["-p", &directory, "-c", &format!("{directory}/config")]),
            Self::Haproxy => command.args(["-db", "-f", &format!("{directory}/config")]),
        };
        Process::foreign(command, place, files, port)
    }
}

/// Returns the configuration of an nginx with these worker processes and `servers`.
///
/// Connections are never ended after some number of requests, and large bodies do not go through temporary files.
pub(super) fn nginx(workers: usize, servers: &str) -> String {
    format!(
        r#"
daemon off; pid DIR/pid; error_log stderr; worker_processes {workers};
events {{ worker_connections 4096; }}
http {{
    access_log off; client_body_temp_path DIR/body; proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
    default_type application/octet-stream; sendfile on; tcp_nopush on; open_file_cache max=16;
    keepalive_requests 1000000000; keepalive_timeout 1h;
    proxy_max_temp_file_size 0; proxy_http_version 1.1; proxy_set_header Connection "";
    ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_protocols TLSv1.2 TLSv1.3;
    {servers}
}}"#
    )
}

/// Creates the directory of a server with its certificate and key.
pub(super) fn directory(identity: &Identity) -> Workdir {
    Workdir::with([("cert.pem", identity.cert.clone()), ("key.pem", identity.key.clone())])
}
