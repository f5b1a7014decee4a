//! The environment variables that configure the provider.

use provider_api::Secret;

/// The variable of the machine token.
pub(crate) const MACHINE_TOKEN: &str = "RUNBEAM_MACHINE_TOKEN";

/// The environment variables of the provider, read once.
///
/// The type exists so that a test or an embedding application can set the values without changing the variables of
/// the process.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `RUNBEAM_MACHINE_TOKEN`: the machine token as a JSON object.
    pub machine_token: Option<Secret>,
    /// `RUNBEAM_ENCRYPTION_KEY`: the key that encrypts the stored machine token.
    pub encryption_key: Option<Secret>,
    /// `RUNBEAM_ACCEPT_INVALID_CERTS`: development only, and only together with
    /// [`accept_invalid_certs`](crate::Settings::accept_invalid_certs).
    pub accept_invalid_certs: bool,
}

impl Environment {
    /// Reads the variables of this process. A blank variable counts as unset.
    pub fn of_process() -> Self {
        Self {
            machine_token: variable(MACHINE_TOKEN).map(Secret::new),
            encryption_key: variable("RUNBEAM_ENCRYPTION_KEY").map(Secret::new),
            accept_invalid_certs: variable("RUNBEAM_ACCEPT_INVALID_CERTS")
                .is_some_and(|value| matches!(value.trim(), "true" | "1")),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    // A value that is not Unicode is passed on lossily, so that it is reported as invalid and not ignored.
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    (!value.trim().is_empty()).then_some(value)
}
