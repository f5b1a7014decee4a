use provider_api::Secret;

/// What the process was started with, read once. A value of its own, so that a test or another host can
/// say what it is without touching the variables of the process.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `RUNBEAM_MACHINE_TOKEN`: the machine token as a JSON object.
    pub machine_token: Option<Secret>,
    /// `RUNBEAM_ENCRYPTION_KEY`: what the stored machine token is encrypted with.
    pub encryption_key: Option<Secret>,
    /// `RUNBEAM_ACCEPT_INVALID_CERTS`: development only, and only together with
    /// [`accept_invalid_certs`](crate::Settings::accept_invalid_certs).
    pub accept_invalid_certs: bool,
}

impl Environment {
    /// Reads the variables of this process. A blank one counts as unset.
    pub fn of_process() -> Self {
        Self {
            machine_token: variable("RUNBEAM_MACHINE_TOKEN").map(Secret::new),
            encryption_key: variable("RUNBEAM_ENCRYPTION_KEY").map(Secret::new),
            accept_invalid_certs: variable("RUNBEAM_ACCEPT_INVALID_CERTS")
                .is_some_and(|value| matches!(value.trim(), "true" | "1")),
        }
    }
}

fn variable(name: &str) -> Option<String> {
    // What is not Unicode is kept, damaged, so that it is complained about and not overlooked.
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    (!value.trim().is_empty()).then_some(value)
}
