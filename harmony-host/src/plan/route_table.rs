//! The route table of a network.

use std::collections::HashMap;

use crate::http::path::{BadPath, segments};
use crate::http::url_prefix::{Scheme, UrlPrefix};

/// The parts of a request that routing depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteQuery<'a> {
    pub(crate) scheme: Scheme,
    /// The host without the port, in upper or lower case.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) path: &'a str,
}

/// A route, and the byte offset in the path at which its prefix ends.
#[derive(Debug)]
pub(crate) struct Match<'t, T> {
    pub(crate) route: &'t T,
    pub(crate) end: usize,
}

/// The routes of one network: ingress URLs first, then the path prefixes of endpoints. In both the longest prefix wins.
/// The time of a lookup depends on the number of segments in the path, not on the number of routes.
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

    /// Finds the route of a request.
    ///
    /// # Errors
    /// A path that routing must not interpret, such as one with dot segments.
    pub(crate) fn find(&self, query: &RouteQuery<'_>) -> Result<Option<Match<'_, T>>, BadPath> {
        let by_ingress = match self.origin(query) {
            Some(trie) => trie.find(query.path)?,
            None => None,
        };
        match by_ingress {
            Some(found) => Ok(Some(found)),
            None => self.endpoints.find(query.path),
        }
    }

    fn origin(&self, query: &RouteQuery<'_>) -> Option<&Trie<T>> {
        // A trailing dot marks a fully qualified name; it is the same host.
        let host = query.host.strip_suffix('.').unwrap_or(query.host);
        let origins = if host.bytes().any(|b| b.is_ascii_uppercase()) {
            self.ingress.get(&host.to_ascii_lowercase())?
        } else {
            self.ingress.get(host)?
        };
        origins
            .iter()
            .find(|(scheme, port, _)| (*scheme, *port) == (query.scheme, query.port))
            .map(|(_, _, t)| t)
    }
}

/// A map from path prefixes to values, by whole segments.
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
    /// Inserts a value. The first one for a prefix wins; `Config::merge` has rejected prefixes of two pipelines.
    fn insert(&mut self, prefix: &[String], value: T) {
        let mut node = self;
        for segment in prefix {
            node = node.below.entry(segment.clone()).or_default();
        }
        node.value.get_or_insert(value);
    }

    /// Finds the value of the longest prefix of `path`. Reads the whole path, so that a dot segment is rejected wherever
    /// it stands: behind the prefix it would lead out of it at the upstream.
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

    fn route<'t>(table: &'t RouteTable<String>, host: &str, path: &str) -> Option<&'t str> {
        let query = RouteQuery { scheme: Scheme::Https, host, port: 443, path };
        table.find(&query).unwrap().map(|m| m.route.as_str())
    }

    #[test]
    fn longest_prefix_of_whole_segments_wins() {
        let t = table(&["https://a/r4", "https://a/r4/Patient", "https://a:8443/x"], &["/", "/r4"]);
        assert_eq!(route(&t, "a", "/r4/Patient/7"), Some("https://a/r4/Patient"));
        assert_eq!(route(&t, "A.", "/r4/Observation"), Some("https://a/r4"));
        assert_eq!(route(&t, "a", "/r4evil"), Some("/"));
        assert_eq!(route(&t, "b", "/r4/x"), Some("/r4"));
        assert_eq!(route(&t, "a", "/x"), Some("/"));
    }

    #[test]
    fn escapes_are_decoded_and_dots_rejected() {
        let t = table(&["https://a/r4"], &["/"]);
        assert_eq!(route(&t, "a", "/%724/Patient"), Some("https://a/r4"));
        assert_eq!(route(&t, "a", "//r4"), Some("https://a/r4"));
        let query = RouteQuery { scheme: Scheme::Https, host: "a", port: 443, path: "/open/../r4" };
        assert!(t.find(&query).is_err());
    }

    proptest! {
        #[test]
        fn agrees_with_a_linear_search(
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
            prop_assert_eq!(route(&t, "any", &path), slow.copied());
        }
    }
}
