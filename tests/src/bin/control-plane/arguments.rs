use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// A development control plane: the cloud that hands gateways their configuration, on this machine.
///
/// It answers the whole API that gateways, the official SDK and the official command line use, with and without
/// /api in front, and shows a page at / where gateways, pipelines and meshes are edited and changes are followed.
/// It is for development: the page needs no password, so it only listens to this machine unless told otherwise.
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
        Exit status: 0 when it was told to stop, 1 when something failed, 2 for wrong arguments."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) ask: Option<Ask>,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8787")]
    pub(crate) listen: SocketAddr,
    /// Keep everything in this file, keys and tokens included, and read it at the start
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// Begin with something in it
    #[arg(long)]
    pub(crate) seed: Option<Seed>,
    /// Do not print requests
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// What to begin with.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Seed {
    /// The teams radiology-dept and ai-analytics with a user each
    Demo,
}

/// What a control plane that runs is asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Ask {
    /// Print a user token of a team
    Token {
        /// The team's name
        #[arg(long)]
        team: String,
        /// An opaque token instead of a JWT
        #[arg(long)]
        sanctum: bool,
        /// The control plane that runs
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
        /// The control plane that runs
        #[arg(long, default_value = "http://127.0.0.1:8787")]
        url: String,
    },
}
