//! The reasons for which the gateway itself refuses a request.

use provider_api::{ErrorKind, TokenFault};

use crate::metrics::fault::Fault;

/// Declares the reasons, each with its name in metrics and logs, and its meaning in the documentation.
macro_rules! reasons {
    ($($reason:ident $name:literal $meaning:literal,)*) => {
        /// The reason for which the gateway answers a request itself, with a status from 300 on. Every such answer has one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Reason {
            $(#[doc = $meaning] $reason,)*
        }

        impl Reason {
            /// All reasons, in the order of their numbers.
            pub(crate) const ALL: [Self; [$($name),*].len()] = [$(Self::$reason),*];

            /// Returns the name in metrics and logs.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)*
                }
            }

            /// Returns the meaning, in one sentence.
            pub(crate) const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$reason => $meaning,)*
                }
            }
        }
    };
}

reasons! {
    BadRequest "bad_request" "The request is malformed, or a gateway cannot forward it: 400.",
    Malformed "malformed_head" "The head of the request is no valid HTTP: 400.",
    HeadTooLarge "head_too_large" "The head of the request is too large: 431 or 414.",
    TooManyHeaders "too_many_headers" "The request has more headers than the gateway takes: 431.",
    HttpsRequired "https_required" "The network takes no cleartext requests: a redirect to https.",
    Misdirected "misdirected" "The request came in cleartext for a host that the gateway does not serve: 421.",
    NoRoute "no_route" "No ingress and no endpoint matches: 404.",
    Method "method_not_allowed" "The gateway does not forward the method: 405.",
    BodyTooLarge "body_too_large" "The body is larger than `proxy.content_limits.max_body_size`: 413.",
    RequestTimeout "request_timeout" "The client stopped sending its body: 408.",
    NotImplemented "not_implemented" "The pipeline needs something that this gateway does not have: 501.",
    Closed "closed" "The endpoint is closed, since its peer is disabled: 503.",
    Closing "closing" "The network of the connection is no longer served: 503.",
    Starting "starting" "The gateway has no configuration yet: 503.",
    Loop "loop" "The request passed too many gateways: 508.",
    Overloaded "overloaded" "There was no place for a connection to a backend, or for a tunnel: 503.",
    TokenMissing "mesh_token_missing" "The route needs a mesh token and the request has none: 403.",
    TokenMalformed "mesh_token_malformed" "The mesh token cannot be read: 403.",
    TokenKey "mesh_token_key" "The mesh token names a key that is not known: 403.",
    TokenAlgorithm "mesh_token_algorithm" "The mesh token has another algorithm than its key: 403.",
    TokenSignature "mesh_token_signature" "The signature of the mesh token does not match the key: the secrets differ: 403.",
    TokenIssuer "mesh_token_issuer" "The mesh token has another issuer: 403.",
    TokenMesh "mesh_token_mesh" "The mesh token is for another mesh: 403.",
    TokenSubject "mesh_token_subject" "The mesh token does not name its sender: 403.",
    TokenAudience "mesh_token_audience" "The mesh token is for another audience or destination: 403.",
    TokenNotYetValid "mesh_token_not_yet_valid" "The mesh token is from the future: the clocks differ: 403.",
    TokenExpired "mesh_token_expired" "The mesh token has expired, or the clocks differ: 403.",
    TokenDenied "mesh_token_denied" "The provider denied the mesh token for another fault: 403.",
    NoMesh "mesh_none" "The route needs mesh context and belongs to no mesh: 403.",
    EgressDenied "mesh_egress" "The request may not leave through the egress of its pipeline: 403.",
    ProviderNotFound "provider_not_found" "A reference leads to nothing: 404.",
    ProviderDenied "provider_denied" "The provider denied a reference or a token: 403.",
    ProviderUnavailable "provider_unavailable" "The provider could not resolve a reference, or issue or verify a token: 503.",
    ProviderInvalid "provider_invalid" "A reference leads to something that requests cannot be sent to: 502.",
    BackendUnreachable "backend_unreachable" "The backend cannot be reached: 502.",
    BackendClosed "backend_closed" "The backend closed the connection before its response: 502.",
    BackendInvalid "backend_invalid" "The response of the backend is no valid HTTP, too large, or not what was asked for: 502.",
    BackendTimeout "backend_timeout" "The backend sent nothing for its timeout: 504.",
    ManagementUnauthorized "management_unauthorized" "A call of the management API has no valid token: 401.",
    ManagementForbidden "management_forbidden" "A call of the management API may not come from there: 403.",
    ManagementRejected "management_rejected" "A call of the management API is wrong: any other 4xx.",
    ManagementFailed "management_failed" "A call of the management API failed: 5xx.",
}

impl Reason {
    /// Returns the reason of a request for which a provider failed.
    pub(crate) const fn of_provider(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound => Self::ProviderNotFound,
            ErrorKind::Denied => Self::ProviderDenied,
            ErrorKind::Unavailable => Self::ProviderUnavailable,
            ErrorKind::Invalid => Self::ProviderInvalid,
        }
    }

    /// Returns the remedy of a refusal that an operator can end: a setting, a secret, a clock or another part of the system is
    /// wrong. `None` for what is wrong with the request, which any stranger can send, and for what the log and the status have
    /// under another name.
    pub(crate) const fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Self::Overloaded => Fault::NoPlace.remedy(),
            Self::TokenSignature => "compare the secret or the keys of the mesh on both gateways",
            Self::TokenNotYetValid | Self::TokenExpired => {
                "compare the clock of this machine and that of the sender (`chronyc tracking`)"
            }
            Self::TokenAudience => "compare the URL that the sender uses with those of the ingress",
            Self::TokenKey
            | Self::TokenAlgorithm
            | Self::TokenIssuer
            | Self::TokenMesh
            | Self::TokenSubject
            | Self::TokenDenied => "compare the section of the mesh on both gateways",
            Self::NoMesh => "name the ingress of the route in a mesh",
            Self::ProviderNotFound => "make the resource again at its provider, or change the pipeline",
            Self::ProviderDenied => "give this gateway the right at its provider",
            Self::ProviderUnavailable => {
                "see if the provider can be reached; the gateway asks again by itself"
            }
            Self::ProviderInvalid => "correct the resource at its provider",
            _ => return None,
        })
    }

    /// Returns the reason of a denied mesh token.
    pub(crate) const fn of_token(fault: Option<TokenFault>) -> Self {
        match fault {
            Some(TokenFault::Malformed) => Self::TokenMalformed,
            Some(TokenFault::Key) => Self::TokenKey,
            Some(TokenFault::Algorithm) => Self::TokenAlgorithm,
            Some(TokenFault::Signature) => Self::TokenSignature,
            Some(TokenFault::Issuer) => Self::TokenIssuer,
            Some(TokenFault::Mesh) => Self::TokenMesh,
            Some(TokenFault::Subject) => Self::TokenSubject,
            Some(TokenFault::Audience) => Self::TokenAudience,
            Some(TokenFault::NotYetValid) => Self::TokenNotYetValid,
            Some(TokenFault::Expired) => Self::TokenExpired,
            // A fault of a later version of the contract.
            Some(_) | None => Self::TokenDenied,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_labels() {
        let names: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        assert!(Reason::ALL.iter().enumerate().all(|(at, reason)| *reason as usize == at));
    }
}
