//! The middleware `mesh_auth`: its options, and the rule that it makes for one side of a pipeline.

mod facts;
pub(crate) mod link;

use std::collections::BTreeSet;

use provider_api::Secret;

use crate::config::section::Section;
use crate::config::weak_secret;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};
use crate::http::url_prefix::UrlPrefix;

/// The side of a pipeline that a `mesh_auth` is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The requests that come in.
    #[default]
    Ingress,
    /// The requests that leave.
    Egress,
}

/// The options of a middleware of the type `mesh_auth`.
#[derive(Clone, Debug)]
pub(crate) struct MeshAuth {
    /// The path of the options: `middleware.<name>.options`.
    pub(crate) path: String,
    /// The side.
    pub(crate) direction: Direction,
    /// The value of `required`, `true` unless configured, so that only an explicit `false` lets requests pass without a
    /// token.
    pub(crate) required: bool,
    /// The name of the mesh.
    pub(crate) mesh_name: Option<Spanned<String>>,
    /// The id of the mesh.
    pub(crate) mesh_id: Option<Spanned<String>>,
    /// The provider of the mesh.
    pub(crate) provider: Option<Spanned<String>>,
    /// The shared secret of the mesh.
    pub(crate) jwt_secret: Option<Spanned<Secret>>,
    /// The file of the key that the mesh uses on this side.
    pub(crate) jwt_key_path: Option<Spanned<String>>,
    /// The URL of the published keys of the mesh.
    pub(crate) jwks_url: Option<Spanned<String>>,
    /// The URL that requests may be sent to.
    pub(crate) destination_url: Option<Spanned<String>>,
}

/// The rule of all `mesh_auth` of a pipeline for one side.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TokenRule {
    /// Set when a request without a token is refused.
    pub(crate) required: bool,
    /// Set when the tokens are those of the meshes that the pipeline belongs to.
    pub(crate) own: bool,
    /// The meshes that are chosen by name or id.
    pub(crate) named: Option<BTreeSet<String>>,
    /// The URLs that every request must be sent below.
    pub(crate) destinations: Vec<UrlPrefix>,
}

/// The options that only `mesh_auth` has.
pub(super) const OPTIONS: [&str; 9] = [
    "required",
    "direction",
    "mesh_name",
    "mesh_id",
    "provider",
    "jwt_secret",
    "jwt_key_path",
    "jwks_url",
    "destination_url",
];

const DIRECTIONS: [(&str, Direction); 2] = [("ingress", Direction::Ingress), ("egress", Direction::Egress)];

impl MeshAuth {
    /// Returns a `mesh_auth` without options.
    pub(crate) fn plain(path: String) -> Self {
        Self {
            path,
            direction: Direction::Ingress,
            required: true,
            mesh_name: None,
            mesh_id: None,
            provider: None,
            jwt_secret: None,
            jwt_key_path: None,
            jwks_url: None,
            destination_url: None,
        }
    }

    /// Reads the options.
    pub(super) fn read(options: &Section<'_>, problems: &mut Problems) -> Self {
        let jwt_secret = options.secret("jwt_secret", problems);
        if let Some(secret) = &jwt_secret {
            weak_secret::check(&options.key("jwt_secret"), secret, problems);
        }
        let direction = options.word("direction", &DIRECTIONS, problems);
        let read = Self {
            path: options.path().to_owned(),
            direction: direction.map(|at| at.value).unwrap_or_default(),
            required: options.flag("required", problems).is_none_or(|flag| flag.value),
            mesh_name: options.text("mesh_name", problems),
            mesh_id: options.text("mesh_id", problems),
            provider: options.text("provider", problems),
            jwt_secret,
            jwt_key_path: options.text("jwt_key_path", problems),
            jwks_url: options.text("jwks_url", problems),
            destination_url: options.text("destination_url", problems),
        };
        if let (Some(at), Direction::Ingress) = (&read.destination_url, read.direction) {
            problems
                .error(
                    Some(&at.place),
                    read.key("destination_url"),
                    "only requests that leave have a destination",
                )
                .help("add `direction = \"egress\"`, or delete it");
        }
        read
    }

    /// Returns the options that describe a mesh instead of naming it, with their places.
    fn described(&self) -> Vec<(&'static str, &Place)> {
        let all = [
            ("provider", self.provider.as_ref().map(|at| &at.place)),
            ("jwt_secret", self.jwt_secret.as_ref().map(|at| &at.place)),
            ("jwt_key_path", self.jwt_key_path.as_ref().map(|at| &at.place)),
            ("jwks_url", self.jwks_url.as_ref().map(|at| &at.place)),
        ];
        all.into_iter().filter_map(|(option, place)| Some((option, place?))).collect()
    }

    /// Returns the dotted name of an option.
    pub(crate) fn key(&self, option: &str) -> String {
        format!("{}.{option}", self.path)
    }
}

impl TokenRule {
    /// Adds the rule of one `mesh_auth`. A request must satisfy all that are required; those that are not required take
    /// nothing from them.
    fn add(&mut self, one: Self) {
        if one.required && !self.required {
            *self = one;
            return;
        }
        if self.required && !one.required {
            return;
        }
        self.own |= one.own;
        match (one.named, &mut self.named) {
            (None, _) => {}
            (Some(theirs), named @ None) => *named = Some(theirs),
            (Some(theirs), Some(named)) if self.required => named.retain(|name| theirs.contains(name)),
            (Some(theirs), Some(named)) => named.extend(theirs),
        }
        self.destinations.extend(one.destinations);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(all: &[(bool, Option<&str>)]) -> TokenRule {
        let mut rule = TokenRule::default();
        for (required, mesh) in all {
            let named = mesh.map(|name| BTreeSet::from([name.to_owned()]));
            rule.add(TokenRule { required: *required, own: named.is_none(), named, ..TokenRule::default() });
        }
        rule
    }

    fn named(rule: &TokenRule) -> Vec<&str> {
        rule.named.iter().flatten().map(String::as_str).collect()
    }

    #[test]
    fn every_required_mesh_auth_must_be_satisfied() {
        let one = rule(&[(true, Some("a")), (true, Some("b"))]);
        assert!(
            one.required && one.named.is_some() && named(&one).is_empty(),
            "no token is of both: {one:?}"
        );
        let one = rule(&[(true, Some("a")), (true, None)]);
        assert!(one.required && one.own && named(&one) == ["a"], "{one:?}");
    }

    /// One that is not required takes nothing from one that is, in either order.
    #[test]
    fn optional_opens_nothing() {
        for all in [[(false, Some("b")), (true, Some("a"))], [(true, Some("a")), (false, Some("b"))]] {
            let one = rule(&all);
            assert!(one.required && !one.own && named(&one) == ["a"], "{one:?}");
        }
        for all in [[(false, None), (true, Some("a"))], [(true, Some("a")), (false, None)]] {
            let one = rule(&all);
            assert!(one.required && !one.own && named(&one) == ["a"], "{one:?}");
        }
        let one = rule(&[(false, Some("a")), (false, Some("b"))]);
        assert!(!one.required && named(&one) == ["a", "b"], "{one:?}");
    }
}
