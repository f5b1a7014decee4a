//! The command line of the control plane.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// A development control plane: a stand-in for Runbeam Cloud on this machine.
///
/// Serves the whole API that gateways, the official SDK and the official command line use, with and without the prefix
/// /api. The page at / edits gateways, pipelines and meshes and shows the status of changes. For development only: the
/// page needs no password, so the default address accepts connections from this machine only.
#[derive(Debug, Parser)]
#[command(
    version,
    after_long_help = "First steps:\n  \
        control-plane --seed demo                        start with two teams\n  \
        control-plane token --team radiology-dept        a user token, to authorize a gateway with\n  \
        control-plane authorize --team radiology-dept --code my-gateway\n                                                   \
        what RUNBEAM_MACHINE_TOKEN holds\n  \
        http://127.0.0.1:8787/                           the page\n\n\
        In the gateway's config.toml:\n  \
        [provider.runbeam]\n  api = \"http://127.0.0.1:8787\"\n\n\
        Exit codes: 0 after Ctrl-C or SIGTERM, 1 after a failure, 2 for wrong arguments."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Address of the listener
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8787")]
    pub(crate) listen: SocketAddr,
    /// Save the state in this file, with keys and tokens, and load it at the start
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// Initial content
    #[arg(long)]
    pub(crate) seed: Option<Seed>,
    /// Answer under the official names of Runbeam Cloud too, through an HTTP proxy at this address
    ///
    /// For programs that run with HTTPS_PROXY and HTTP_PROXY set to http://ADDRESS:PORT.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "certificate")]
    pub(crate) official_names: Option<SocketAddr>,
    /// Write the certificate of the official names to this file, for SSL_CERT_FILE
    #[arg(long, value_name = "FILE", requires = "official_names")]
    pub(crate) certificate: Option<PathBuf>,
    /// Do not print requests
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// The initial content.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Seed {
    /// The teams radiology-dept and ai-analytics with a user each
    Demo,
}

/// A command for a running control plane.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print a user token of a team
    Token {
        /// The team's name
        #[arg(long)]
        team: String,
        /// Print an opaque token instead of a JWT
        #[arg(long)]
        sanctum: bool,
        /// URL of the running control plane
        #[arg(long, default_value = "http://127.0.0.1:8787")]
        url: String,
    },
    /// Authorize a gateway and print the JSON that RUNBEAM_MACHINE_TOKEN holds
    Authorize {
        /// The team's name
        #[arg(long)]
        team: String,
        /// The gateway's code: the `id` of its `[proxy]`
        #[arg(long)]
        code: String,
        /// URL of the running control plane
        #[arg(long, default_value = "http://127.0.0.1:8787")]
        url: String,
    },
}
