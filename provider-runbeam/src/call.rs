use provider_api::Secret;

use crate::credential::Credential;
use crate::credentials::Credentials;
use crate::status::Asking;

/// One question to the control plane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// What is tried, in words for the person who operates the gateway.
    pub(crate) what: &'a str,
    pub(crate) asking: Asking,
    pub(crate) bearer: Bearer<'a>,
}

/// In whose name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bearer<'a> {
    /// Nobody's: what is published.
    Nobody,
    /// A person's.
    Person(&'a Secret),
    /// The gateway's own; whether it was refused is noted.
    Gateway(&'a Credentials, &'a Credential),
}

impl Bearer<'_> {
    pub(crate) fn token(&self) -> Option<&Secret> {
        match self {
            Self::Nobody => None,
            Self::Person(token) => Some(token),
            Self::Gateway(_, credential) => Some(&credential.token),
        }
    }

    /// Notes what the control plane made of the credential.
    pub(crate) fn heard(&self, refused: bool) {
        if let Self::Gateway(credentials, credential) = self {
            credentials.heard(credential, refused);
        }
    }
}
