//! A key without an entry in the table of keys.

use provider_api::Registry;

use crate::config::capabilities::Capabilities;
use crate::config::keys::provider_key::ProviderKey;
use crate::config::keys::spelling::nearest;
use crate::diagnostics::problem::{Problem, Problems, Severity};

/// A key without an entry in the table.
#[derive(Clone, Debug)]
pub(crate) struct UnknownKey {
    /// The error, with the nearest known key.
    pub(crate) problem: Problem,
    /// Set if the nearest known key is security-relevant: the unknown key is then always an error.
    pub(crate) guards: bool,
    /// Set for an option of a service or middleware, which an application may know.
    pub(crate) option: Option<OptionOf>,
    /// Set for a key of a provider, which its type may know.
    pub(crate) provider: Option<ProviderKey>,
}

/// An option of a service or of a type of middleware.
#[derive(Clone, Debug)]
pub(crate) struct OptionOf {
    /// The path of the section in the table of keys.
    pub(crate) section: &'static str,
    /// The service or type.
    pub(crate) service: String,
    /// The name below `options`.
    pub(crate) key: String,
    /// Set if this host does not read the options of the service.
    pub(crate) is_foreign: bool,
}

impl UnknownKey {
    /// Adds the problem, unless the application or the provider type knows the key: a warning if unknown keys are allowed and the key is no
    /// likely misspelling of a security-relevant key, otherwise an error.
    pub(crate) fn report(
        &self,
        allow: bool,
        capabilities: &Capabilities,
        registry: &Registry,
        problems: &mut Problems,
    ) {
        let mut problem = self.problem.clone();
        let mut guards = self.guards;
        if let Some(key) = &self.provider {
            match key.meant(registry) {
                Some(meant) => {
                    problem.help = Some(meant.help);
                    guards |= meant.guards;
                }
                // Its type knows it, or tells no keys.
                None if key.is_known(registry) || !guards => return,
                None => {}
            }
        }
        if let Some(option) = &self.option {
            match capabilities.options(option.section, &option.service) {
                None if option.is_foreign && !guards => return,
                None => {}
                Some(known) if known.contains(&option.key) => return,
                Some(known) => {
                    let names = || known.iter().map(String::as_str);
                    let meant = nearest(&option.key, names()).map(|meant| format!("did you mean `{meant}`?"));
                    let all = || format!("known options: {}", names().collect::<Vec<_>>().join(", "));
                    if option.is_foreign && !guards || meant.is_some() {
                        problem.help = Some(meant.unwrap_or_else(all));
                    }
                }
            }
        }
        if allow && !guards {
            problem.severity = Severity::Warning;
        }
        problems.add(problem);
    }
}
