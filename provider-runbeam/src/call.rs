//! The context of a request: its action, its purpose and its credential.

use provider_api::{Error, Secret};

use crate::credential::Credential;
use crate::credentials::Credentials;
use crate::purpose::Purpose;

/// A call to the control plane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// The action in words, such as "fetching the change 01H". Error messages begin with it.
    pub(crate) action: &'a str,
    pub(crate) purpose: Purpose,
    pub(crate) bearer: Bearer<'a>,
    /// Set for the body of a change. An answer that is too large or has the wrong fields stays so until the change is
    /// another one, so it is final.
    pub(crate) document: bool,
}

impl Call<'_> {
    /// Returns the same call for the body of a change.
    pub(crate) fn for_document(self) -> Self {
        Self { document: true, ..self }
    }

    /// Returns the error of an answer that can be used neither now nor, for the body of a change, later.
    pub(crate) fn unusable(&self, reason: &str) -> Error {
        let message = format!("{}: {reason}", self.action);
        if self.document { Error::invalid(message) } else { Error::unavailable(message) }
    }
}

/// The credential that a request is sent with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bearer<'a> {
    /// No credential, for public resources.
    Anonymous,
    /// The token of a user.
    User(&'a Secret),
    /// The machine token of the gateway. Refusals of it are recorded in the [`Credentials`].
    Gateway(&'a Credentials, &'a Credential),
}

impl Bearer<'_> {
    pub(crate) fn token(&self) -> Option<&Secret> {
        match self {
            Self::Anonymous => None,
            Self::User(token) => Some(token),
            Self::Gateway(_, credential) => Some(&credential.token),
        }
    }

    /// Returns the token and its origin in words, for the message about a refusal.
    pub(crate) fn described(&self) -> String {
        match self {
            Self::Gateway(credentials, credential) => credentials.described(credential),
            Self::Anonymous | Self::User(_) => "the token of this request".to_owned(),
        }
    }

    /// Records whether the control plane refused the machine token; other credentials are not tracked.
    pub(crate) fn record_refusal(&self, refused: bool) {
        if let Self::Gateway(credentials, credential) = self {
            credentials.record_refusal(credential, refused);
        }
    }
}
