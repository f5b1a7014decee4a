//! The factory: checking the settings and building providers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use provider_api::*;
use serde::Deserialize;

use crate::branch::Branch;
use crate::provider::GitProvider;
use crate::signers::Signers;
use crate::status_log::StatusLog;

/// Builds providers of the type `git`.
#[derive(Debug)]
pub struct GitFactory;

/// The section `[provider.git]`.
#[derive(Debug, Deserialize)]
pub struct Settings {
    /// The repository, as a path or a `file://` URL.
    api: String,
    /// The directory of this gateway in the repository.
    team: String,
    /// The branch, by default `main`.
    branch: Option<String>,
    /// Lines of an allowed-signers file, each with a principal and an Ed25519 key.
    allowed_signers: Vec<String>,
    /// The commit that the files of the gateway correspond to. Neither it nor its ancestors are changes.
    after: Option<String>,
    poll_interval_secs: Option<u64>,
}

impl ProviderFactory for GitFactory {
    const TYPE: &'static str = "git";
    type Settings = Settings;

    fn build(&self, context: BuildContext, settings: Settings) -> Result<Arc<dyn Provider>, InvalidSettings> {
        let at = |key: &str| format!("provider.{}.{key}", context.name);
        let expected = |key, what: &str| Error::invalid(format!("expected {what}")).with_key(at(key));
        let path = settings.api.strip_prefix("file://").unwrap_or(&settings.api);
        if path.is_empty() || path.contains("://") {
            return Err(expected("api", "the path of a repository, or a file:// URL").into());
        }
        let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if settings.team.is_empty() || !settings.team.bytes().all(allowed) {
            return Err(expected("team", "a directory name of a-z, 0-9, _ and -").into());
        }
        let after = settings.after.as_deref().map(git2::Oid::from_str).transpose();
        let signers = Signers::parse(&settings.allowed_signers);
        let log = context.state_dir.join(format!("git-{}-{}.log", context.gateway, context.name));
        let branch = Arc::new(Branch {
            repository: path.into(),
            name: format!("refs/heads/{}", settings.branch.as_deref().unwrap_or("main")),
            team: settings.team,
            after: after.map_err(|_| expected("after", "the hash of a commit"))?,
            signers: signers.map_err(|error| error.with_key(at("allowed_signers")))?,
            status_log: StatusLog::new(log),
        });
        let cadence = match settings.poll_interval_secs.unwrap_or(30) {
            0 => Cadence::OnDemand,
            seconds => Cadence::Every(Duration::from_secs(seconds)),
        };
        Ok(Arc::new(GitProvider { name: context.name, cadence, branch, listed: Mutex::default() }))
    }

    fn profile(&self) -> SettingsProfile {
        SettingsProfile::new().with_keys(&["api", "team", "branch", "allowed_signers", "after"])
    }
}
