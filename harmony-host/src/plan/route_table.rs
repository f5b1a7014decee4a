use std::collections::HashMap;

use crate::http::path::{BadPath, segments};
use crate::http::url_prefix::{Scheme, UrlPrefix};

/// What was asked for, as far as routing needs to know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteQuery<'a> {
    pub(crate) scheme: Scheme,
    /// Without port, in any case.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) path: &'a str,
}

/// A route, and where in the path its prefix ends.
#[derive(Debug)]
pub(crate) struct Match<'t, T> {
    pub(crate) route: &'t T,
    pub(crate) end: usize,
}

/// The routes of one network. A URL that matches an ingress goes there; everything else goes by the path
/// prefixes of endpoints. In both the most specific wins. The time of a look-up depends on the number of
/// segments in the path, not on the number of routes.
#[derive(Debug)]
pub(crate) struct RouteTable<T> {
    ingress: HashMap<String, Vec<(Scheme, u16, Trie<T>)>>,
    endpoints: Trie<T>,
}

impl<T> Default for RouteTable<T> {
    fn default() -> Self {
        Self { ingress: HashMap::new(), endpoints: Trie::default() }
    }
}

impl<T> RouteTable<T> {
    pub(crate) fn add_ingress(&mut self, url: &UrlPrefix, route: T) {
        let origins = self.ingress.entry(url.host().to_owned()).or_default();
        let at = origins.iter().position(|(scheme, port, _)| (*scheme, *port) == (url.scheme(), url.port()));
        let at = at.unwrap_or_else(|| {
            origins.push((url.scheme(), url.port(), Trie::default()));
            origins.len() - 1
        });
        if let Some((_, _, trie)) = origins.get_mut(at) {
            trie.insert(url.segments(), route);
        }
    }

    pub(crate) fn add_endpoint(&mut self, prefix: &[String], route: T) {
        self.endpoints.insert(prefix, route);
    }

    pub(crate) fn find(&self, asked: &RouteQuery<'_>) -> Result<Option<Match<'_, T>>, BadPath> {
        let by_ingress = match self.origin(asked) {
            Some(trie) => trie.find(asked.path)?,
            None => None,
        };
        match by_ingress {
            Some(found) => Ok(Some(found)),
            None => self.endpoints.find(asked.path),
        }
    }

    fn origin(&self, asked: &RouteQuery<'_>) -> Option<&Trie<T>> {
        let host = asked.host.strip_suffix('.').unwrap_or(asked.host);
        let origins = if host.bytes().any(|b| b.is_ascii_uppercase()) {
            self.ingress.get(&host.to_ascii_lowercase())?
        } else {
            self.ingress.get(host)?
        };
        origins
            .iter()
            .find(|(scheme, port, _)| (*scheme, *port) == (asked.scheme, asked.port))
            .map(|(_, _, t)| t)
    }
}

/// A map from path prefixes, by whole segments.
#[derive(Debug)]
struct Trie<T> {
    value: Option<T>,
    below: HashMap<String, Self>,
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self { value: None, below: HashMap::new() }
    }
}

impl<T> Trie<T> {
    /// The first value for a prefix stays: that two pipelines want the same one was refused before.
    fn insert(&mut self, prefix: &[String], value: T) {
        let mut node = self;
        for segment in prefix {
            node = node.below.entry(segment.clone()).or_default();
        }
        node.value.get_or_insert(value);
    }

    /// The longest prefix of `path` that has a value. The whole path is looked at, so that a dot segment is
    /// refused wherever it stands.
    fn find(&self, path: &str) -> Result<Option<Match<'_, T>>, BadPath> {
        let mut found = self.value.as_ref().map(|route| Match { route, end: 0 });
        let mut node = Some(self);
        for segment in segments(path) {
            let (segment, end) = segment?;
            node = node.and_then(|node| node.below.get(segment.as_ref()));
            if let Some(route) = node.and_then(|node| node.value.as_ref()) {
                found = Some(Match { route, end });
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::path::owned_segments;

    fn table(ingress: &[&str], endpoints: &[&str]) -> RouteTable<String> {
        let mut table = RouteTable::default();
        for url in ingress {
            table.add_ingress(&UrlPrefix::parse(url).unwrap(), (*url).to_owned());
        }
        for path in endpoints {
            table.add_endpoint(&owned_segments(path).unwrap(), (*path).to_owned());
        }
        table
    }

    fn ask<'t>(table: &'t RouteTable<String>, host: &str, path: &str) -> Option<&'t str> {
        let asked = RouteQuery { scheme: Scheme::Https, host, port: 443, path };
        table.find(&asked).unwrap().map(|m| m.route.as_str())
    }

    #[test]
    fn the_most_specific_wins_and_a_prefix_is_whole_segments() {
        let t = table(&["https://a/r4", "https://a/r4/Patient", "https://a:8443/x"], &["/", "/r4"]);
        assert_eq!(ask(&t, "a", "/r4/Patient/7"), Some("https://a/r4/Patient"));
        assert_eq!(ask(&t, "A.", "/r4/Observation"), Some("https://a/r4"));
        assert_eq!(ask(&t, "a", "/r4evil"), Some("/"));
        assert_eq!(ask(&t, "b", "/r4/x"), Some("/r4"));
        assert_eq!(ask(&t, "a", "/x"), Some("/"));
    }

    #[test]
    fn an_escaped_path_reaches_the_protected_route_and_dots_reach_none() {
        let t = table(&["https://a/r4"], &["/"]);
        assert_eq!(ask(&t, "a", "/%724/Patient"), Some("https://a/r4"));
        assert_eq!(ask(&t, "a", "//r4"), Some("https://a/r4"));
        let asked = RouteQuery { scheme: Scheme::Https, host: "a", port: 443, path: "/open/../r4" };
        assert!(t.find(&asked).is_err());
    }

    proptest! {
        #[test]
        fn the_table_agrees_with_looking_at_every_prefix(
            prefixes in prop::collection::btree_set("(/[ab]{1,2}){0,3}", 0..8),
            path in "(/[ab]{1,2}){0,5}",
        ) {
            let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
            let t = table(&[], &prefixes);
            let wanted = owned_segments(&path).unwrap();
            let slow = prefixes
                .iter()
                .filter(|p| wanted.starts_with(&owned_segments(p).unwrap()))
                .max_by_key(|p| owned_segments(p).unwrap().len());
            prop_assert_eq!(ask(&t, "any", &path), slow.copied());
        }
    }
}
