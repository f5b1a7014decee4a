//! Finding the management API of a running gateway.

use std::net::{IpAddr, UdpSocket};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use provider_api::{Registry, Secret};
use url::{Host, Url};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::out;
use crate::cli::state_dir::StateDir;
use crate::diagnostics::render::render;
use crate::documents::layers::Layers;
use crate::documents::{Documents, Touched};
use crate::gateway::{NotServed, ServedApi, api_url};
use crate::host::absolute;
use crate::last_good;

/// The address of the management API, and what is known about the gateway there.
#[derive(Debug)]
pub(super) struct ApiAddress {
    pub(super) url: Url,
    pub(super) token: Option<Secret>,
    /// The origin of the URL, as messages name it.
    pub(super) origin: String,
    /// The configuration that the gateway must serve; `None` if any is meant.
    pub(super) expected: Option<ExpectedGateway>,
    /// The evidence that the program at the URL is the gateway.
    pub(super) trust: Trust,
    /// The remedies when no gateway answers.
    pub(super) remedies: Vec<String>,
}

/// The evidence that the program at an address is the gateway, before it has proved anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// The operator gave the address.
    Given,
    /// A running gateway has written it to a file that only its user can write.
    Served,
    /// None: config.toml names it, and any program can listen there.
    Configured,
}

/// The gateway that a configuration belongs to.
#[derive(Debug)]
pub(super) struct ExpectedGateway {
    pub(super) config: PathBuf,
    /// The id in config.toml, if it can be read.
    pub(super) id: Option<String>,
}

impl ApiAddress {
    /// Returns the address that was given on the command line.
    pub(super) fn given(url: Url, token: Option<Secret>) -> Self {
        let remedies = vec!["start the gateway, or give another --url".to_owned()];
        Self { url, token, origin: "from --url".to_owned(), expected: None, trust: Trust::Given, remedies }
    }

    /// Finds the address of the gateway that runs on `config`: the one that it serves, else the one that config.toml
    /// names. Reads only the sections that it needs, so that it finds one while the rest is invalid.
    ///
    /// # Errors
    /// The reason for which there is none. The problems of config.toml are printed, if they are the reason.
    pub(super) fn find(config: &Path, state: &StateDir, token: Option<Secret>) -> Result<Self, Failure> {
        let config = absolute(config);
        let state = state.options(&config, Registry::new()).state_dir;
        let loaded = Documents::load(&Layers::open(&state, &config), None, None, &Touched::Everything);
        let gateway = loaded.documents.gateway();
        let expected =
            ExpectedGateway { config: config.clone(), id: gateway.map(|gateway| gateway.proxy.id.clone()) };
        let not_served = match served(&state, &config) {
            Ok(served) => {
                let configured = || gateway?.management.as_ref()?.token.clone();
                let token = token.or_else(configured);
                let origin = format!("served by process {}", served.process);
                let remedies =
                    vec!["read the log of that process, or give another address with --url".to_owned()];
                let (url, expected, trust) = (served.url, Some(expected), Trust::Served);
                return Ok(Self { url, token, origin, expected, trust, remedies });
            }
            Err(not_served) => not_served,
        };
        let running = explain(&not_served, &config, &state);
        let management = gateway.and_then(|gateway| Some((gateway, gateway.management.as_ref()?)));
        let url = management.and_then(|(gateway, management)| api_url(&gateway.networks, management));
        match (management, url) {
            (Some((_, management)), Some(url)) => {
                let token = token.or_else(|| management.token.clone());
                let origin = format!("from {}", config.display());
                let (expected, trust) = (Some(expected), Trust::Configured);
                Ok(Self { url, token, origin, expected, trust, remedies: running })
            }
            _ if loaded.problems.refuse() => {
                out::eprint(&render(loaded.problems.sorted_errors(), out::colour_of_errors()));
                let message = format!("{} does not tell where the gateway is", config.display());
                let failure = Failure::new(Exit::InvalidConfig, message);
                let failure =
                    failure.help("correct it, or give the address with --url http://HOST:PORT/admin");
                Err(running.into_iter().fold(failure, Failure::help))
            }
            _ => {
                let message = format!("{} does not enable the management API", config.display());
                let failure = Failure::new(Exit::NoGateway, message);
                let failure =
                    failure.help("add `[management]` with `enabled = true`, or give the address with --url");
                Err(running.into_iter().fold(failure, Failure::help))
            }
        }
    }
}

/// Returns whether no gateway runs on `config` with this state directory.
pub(super) fn is_stopped(config: &Path, state: &StateDir) -> bool {
    let config = absolute(config);
    let state = state.options(&config, Registry::new()).state_dir;
    matches!(served(&state, &config), Err(NotServed::NoState | NotServed::NotRunning))
}

/// Returns the API that the gateway on `config` serves.
fn served(state: &Path, config: &Path) -> Result<ServedApi, NotServed> {
    let read = |config: &Path| ServedApi::read(&last_good::directory(state, config));
    let found = match (read(config), std::fs::canonicalize(config)) {
        // The gateway may have been started with another path of the same file.
        (Err(NotServed::NoState), Ok(real)) if real != config => read(&real),
        (found, _) => found,
    };
    let (served, owner) = found?;
    if is_loopback(&served.url) {
        return Ok(served);
    }
    // The gateway there is asked for the token, so the file must not be one that another user has prepared.
    let owns = |path: &Path| std::fs::metadata(path).is_ok_and(|metadata| metadata.uid() == owner);
    let is_own = tempfile::tempfile().and_then(|file| file.metadata()).is_ok_and(|file| file.uid() == owner);
    if owner != 0 && !is_own && !owns(config) {
        return Err(NotServed::Unusable(format!("the state directory belongs to another user ({owner})")));
    }
    match is_of_this_machine(&served.url) {
        true => Ok(served),
        false => Err(NotServed::Unusable(format!(
            "it names {}, which is not an address of this machine",
            served.url
        ))),
    }
}

/// Returns what is known about the gateway that should run on `config`, and the remedy.
fn explain(not_served: &NotServed, config: &Path, state: &Path) -> Vec<String> {
    let (config, state) = (config.display(), state.display());
    let (known, remedy) = match not_served {
        NotServed::NoState => (
            format!("no gateway has run on {config} with the state directory {state}"),
            "start it; if it runs with another state directory or under another path, give that with --state-dir or --config",
        ),
        NotServed::NotRunning => (
            format!("no gateway runs on {config} with the state directory {state}"),
            "start it; if it runs with another state directory, give that with --state-dir",
        ),
        NotServed::NoFile => (
            format!("a gateway runs on {config}, but has not written where its management API is"),
            "give the address with --url",
        ),
        NotServed::Unusable(reason) => (
            format!("the state directory {state} does not tell where the gateway is: {reason}"),
            "give another --state-dir, or the address with --url; if access is denied, run this command as the user of the gateway",
        ),
    };
    vec![known, remedy.to_owned()]
}

fn is_loopback(url: &Url) -> bool {
    ip(url).is_some_and(|ip| ip.to_canonical().is_loopback())
}

/// Returns whether a program on this machine can listen on the address of `url`.
fn is_of_this_machine(url: &Url) -> bool {
    ip(url).is_some_and(|ip| UdpSocket::bind((ip, 0)).is_ok())
}

fn ip(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
        Host::Domain(_) => None,
    }
}
