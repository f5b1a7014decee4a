use std::sync::{Arc, Mutex};
use std::time::Duration;

use provider_api::*;
use serde::Deserialize;

use crate::followed::Followed;
use crate::git::Git;
use crate::reports::Reports;
use crate::signers::Signers;

/// Makes providers of the type `git`.
#[derive(Debug)]
pub struct GitFactory;

/// The section `[provider.git]`.
#[derive(Debug, Deserialize)]
pub struct Settings {
    /// The repository: a path, or a `file://` URL.
    api: String,
    /// The directory of this gateway in it.
    team: String,
    /// `main` unless it is written.
    branch: Option<String>,
    /// Lines of an allowed-signers file: a principal and an Ed25519 key.
    allowed_signers: Vec<String>,
    /// The commit that the gateway's files already are; what came before it is no change.
    after: Option<String>,
    poll_interval_secs: Option<u64>,
}

impl ProviderFactory for GitFactory {
    const TYPE: &'static str = "git";
    type Settings = Settings;

    fn build(&self, context: BuildContext, settings: Settings) -> Result<Arc<dyn Provider>, InvalidSettings> {
        let path = settings.api.strip_prefix("file://").unwrap_or(&settings.api);
        if path.is_empty() || path.contains("://") {
            return Err(Error::invalid("`api`: expected the path of a repository, or a file:// URL"));
        }
        let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if settings.team.is_empty() || !settings.team.bytes().all(plain) {
            return Err(Error::invalid("`team`: expected a directory, of a-z, 0-9, _ and -"));
        }
        let after = settings.after.as_deref().map(git2::Oid::from_str).transpose();
        let log = format!("git-{}-{}.log", context.gateway, context.name);
        let followed = Followed {
            path: path.into(),
            branch: format!("refs/heads/{}", settings.branch.as_deref().unwrap_or("main")),
            team: settings.team,
            after: after.map_err(|_| Error::invalid("`after`: expected the hash of a commit"))?,
            signers: Signers::parse(&settings.allowed_signers)?,
            reports: Reports::at(context.state_dir.join(log)),
        };
        let cadence = match settings.poll_interval_secs.unwrap_or(30) {
            0 => Cadence::OnDemand,
            seconds => Cadence::Every(Duration::from_secs(seconds)),
        };
        let followed = Arc::new(followed);
        Ok(Arc::new(Git { name: context.name, cadence, followed, seen: Mutex::default() }))
    }

    fn profile(&self) -> SettingsProfile { SettingsProfile::new() }
}
