//! The route table of a network.

use std::collections::HashMap;
use std::sync::Arc;

use provider_api::UrlPath;

use crate::http::path::AMBIGUOUS;
use crate::http::url_prefix::{Scheme, UrlPrefix};

/// The parts of a request that routing depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteQuery<'a> {
    pub(crate) scheme: Scheme,
    /// The host without the port, in upper or lower case.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) path: &'a UrlPath<'a>,
}

/// A route, and the byte offset in the normal form of the path at which its prefix ends.
#[derive(Debug)]
pub(crate) struct Match<'t, T> {
    pub(crate) route: &'t T,
    pub(crate) end: usize,
}

/// The routes of one network: ingress URLs first, then the path prefixes of endpoints. In both the longest prefix wins.
/// The time of a lookup depends on the number of segments in the path, not on the number of routes. A copy shares the branches
/// that are not changed in it.
#[derive(Clone, Debug)]
pub(crate) struct RouteTable<T> {
    ingress: HashMap<String, Vec<(Scheme, u16, Trie<T>)>>,
    endpoints: Trie<T>,
}

impl<T> Default for RouteTable<T> {
    fn default() -> Self {
        Self { ingress: HashMap::new(), endpoints: Trie::default() }
    }
}

impl<T: Clone> RouteTable<T> {
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

    pub(crate) fn remove_ingress(&mut self, url: &UrlPrefix) {
        let Some(origins) = self.ingress.get_mut(url.host()) else { return };
        origins.retain_mut(|(scheme, port, trie)| {
            if (*scheme, *port) == (url.scheme(), url.port()) {
                trie.remove(url.segments());
            }
            !trie.is_empty()
        });
        if origins.is_empty() {
            self.ingress.remove(url.host());
        }
    }

    pub(crate) fn remove_endpoint(&mut self, prefix: &[String]) {
        self.endpoints.remove(prefix);
    }
}

impl<T> RouteTable<T> {
    /// Finds the route of a request.
    ///
    /// # Errors
    /// A message for the sender of a path that servers read in two ways, if these lead to different routes.
    pub(crate) fn find(&self, query: &RouteQuery<'_>) -> Result<Option<Match<'_, T>>, &'static str> {
        let found = self.find_path(query, query.path);
        let route =
            |found: &Option<Match<'_, T>>| found.as_ref().map(|found| std::ptr::from_ref(found.route));
        let own = route(&found);
        match query.path.readings().all(|reading| route(&self.find_path(query, &reading)) == own) {
            true => Ok(found),
            false => Err(AMBIGUOUS),
        }
    }

    fn find_path(&self, query: &RouteQuery<'_>, path: &UrlPath<'_>) -> Option<Match<'_, T>> {
        let by_ingress = self.origin(query).and_then(|trie| trie.find(path));
        by_ingress.or_else(|| self.endpoints.find(path))
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

#[cfg(all(test, feature = "local"))]
impl<T> RouteTable<T> {
    /// Returns the number of nodes of all tries.
    pub(crate) fn branches(&self) -> usize {
        let tries = self.ingress.values().flatten().map(|(_, _, trie)| trie);
        tries.chain([&self.endpoints]).map(Trie::branches).sum()
    }
}

#[cfg(all(test, feature = "local"))]
impl<T> Trie<T> {
    fn branches(&self) -> usize {
        1 + self.below.values().map(|below| below.branches()).sum::<usize>()
    }
}

/// A map from path prefixes to values, by whole segments.
#[derive(Clone, Debug)]
struct Trie<T> {
    value: Option<T>,
    below: HashMap<Arc<str>, Arc<Self>>,
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self { value: None, below: HashMap::new() }
    }
}

impl<T: Clone> Trie<T> {
    /// Inserts a value. The first one for a prefix wins; `Config::merge` has rejected prefixes of two pipelines.
    fn insert(&mut self, prefix: &[String], value: T) {
        let mut node = self;
        for segment in prefix {
            node = Arc::make_mut(node.below.entry(Arc::from(segment.as_str())).or_default());
        }
        node.value.get_or_insert(value);
    }

    /// Removes the value of a prefix, and the branch that leads to nothing without it.
    fn remove(&mut self, prefix: &[String]) {
        let Some((first, rest)) = prefix.split_first() else {
            self.value = None;
            return;
        };
        let Some(below) = self.below.get_mut(first.as_str()) else { return };
        let node = Arc::make_mut(below);
        node.remove(rest);
        if node.is_empty() {
            self.below.remove(first.as_str());
        }
    }
}

impl<T> Trie<T> {
    fn is_empty(&self) -> bool {
        self.value.is_none() && self.below.is_empty()
    }

    /// Finds the value of the longest prefix of `path`.
    fn find(&self, path: &UrlPath<'_>) -> Option<Match<'_, T>> {
        let mut found = self.value.as_ref().map(|route| Match { route, end: 0 });
        let mut node = self;
        for (segment, end) in path.segments() {
            let Some(below) = node.below.get(segment.as_ref()) else { break };
            node = below;
            if let Some(route) = &node.value {
                found = Some(Match { route, end });
            }
        }
        found
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
        let path = UrlPath::parse(path).unwrap();
        let query = RouteQuery { scheme: Scheme::Https, host, port: 443, path: &path };
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
    fn escapes_are_decoded() {
        let t = table(&["https://a/r4"], &["/"]);
        assert_eq!(route(&t, "a", "/%724/Patient"), Some("https://a/r4"));
        assert_eq!(route(&t, "a", "//r4"), Some("https://a/r4"));
    }

    /// A path that one server reads below `/r4` and another one does not belongs to neither route.
    #[test]
    fn two_readings_of_two_routes_are_refused() {
        let t = table(&["https://a/r4"], &["/"]);
        for path in
            ["/r4;x", "/r4%3Bx/y", "/r4%2f", "/r4%2Fadmin", "/%2fr4", "/r4%3fx", "/%2572%2534", "/r4%252fx"]
        {
            let parsed = UrlPath::parse(path).unwrap();
            let query = RouteQuery { scheme: Scheme::Https, host: "a", port: 443, path: &parsed };
            assert!(t.find(&query).is_err(), "{path}");
        }
        for path in ["/r4/a;v=1", "/r4/a%2fb", "/r4/a%3Bb"] {
            assert_eq!(route(&t, "a", path), Some("https://a/r4"), "{path}");
        }
        assert_eq!(route(&t, "a", "/x;r4"), Some("/"));
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
