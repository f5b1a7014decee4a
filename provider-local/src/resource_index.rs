//! The index of local resources.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock};

use provider_api::{Error, Inventory, Reference, Resource, ResourceKey, ResourceType, Result};

/// The only team of local resources, as in `local.local.ingress.name.<name>`.
pub(crate) const OWNER: &str = "local";

/// The maximum number of names or candidates that a message lists. The others are counted.
const MAX_LISTED: usize = 5;

/// The resources of an inventory, indexed by name and by id.
pub(crate) struct ResourceIndex {
    inventory: Arc<Inventory>,
    /// Made when a reference is resolved first: most gateways have no local references, and each edit of one builds a new
    /// provider.
    index: OnceLock<Index>,
}

#[derive(Default)]
struct Index {
    /// Positions in the inventory.
    by_name: HashMap<String, Vec<usize>>,
    /// Positions in the inventory.
    by_id: HashMap<String, Vec<usize>>,
    /// The list of known names in a NotFound message, by type; `None` is all types. Built once, because failures are
    /// not cached: a reference that is not found is resolved again for every request.
    known: HashMap<Option<ResourceType>, String>,
}

impl Index {
    fn of(resources: &[Resource]) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        let mut by_id: HashMap<String, Vec<usize>> = HashMap::new();
        let mut names: HashMap<Option<ResourceType>, BTreeSet<&str>> = HashMap::new();
        for (position, resource) in resources.iter().enumerate() {
            by_name.entry(resource.name.clone()).or_default().push(position);
            by_id.entry(resource.id.clone()).or_default().push(position);
            for kind in [None, Some(resource.kind)] {
                names.entry(kind).or_default().insert(&resource.name);
            }
        }
        let known = names
            .into_iter()
            .map(|(kind, names)| (kind, list(names.into_iter().map(|name| format!("`{name}`")))))
            .collect();
        Self { by_name, by_id, known }
    }
}

impl ResourceIndex {
    pub(crate) fn new(inventory: Arc<Inventory>) -> Self {
        Self { inventory, index: OnceLock::new() }
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(&self.inventory.resources))
    }

    /// Returns the resource that matches `reference`. The team is ignored: all resources have one owner.
    ///
    /// # Errors
    /// NotFound when no resource matches, Invalid when several do.
    pub(crate) fn find(&self, reference: &Reference) -> Result<&Resource> {
        let same_key: Vec<&Resource> = match reference.key() {
            ResourceKey::Name(name) => self.with_name(name).collect(),
            ResourceKey::Id(id) => self.with_id(id).collect(),
        };
        let matching: Vec<&Resource> = same_key
            .iter()
            .copied()
            .filter(|resource| reference.resource_type().is_none_or(|kind| kind == resource.kind))
            .collect();
        match *matching.as_slice() {
            [resource] => Ok(resource),
            [] => Err(self.not_found(reference, &same_key)),
            _ => Err(Error::invalid(format!(
                "`{reference}` matches {} resources; use one of: {}",
                matching.len(),
                self.candidates(&matching)
            ))),
        }
    }

    fn with_name(&self, name: &str) -> impl Iterator<Item = &Resource> {
        self.resources_at(self.index().by_name.get(name))
    }

    fn with_id(&self, id: &str) -> impl Iterator<Item = &Resource> {
        self.resources_at(self.index().by_id.get(id))
    }

    fn resources_at<'a>(&'a self, positions: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Resource> {
        positions.into_iter().flatten().filter_map(|position| self.inventory.resources.get(*position))
    }

    fn not_found(&self, reference: &Reference, of_other_types: &[&Resource]) -> Error {
        let kind = reference.resource_type().map_or("resource", ResourceType::as_str);
        let hint = match reference.key() {
            _ if !of_other_types.is_empty() => format!("; there is {}", self.candidates(of_other_types)),
            ResourceKey::Id(_) => String::new(),
            ResourceKey::Name(_) => match self.index().known.get(&reference.resource_type()) {
                Some(names) => format!("; known: {names}"),
                None => "; there are none".to_owned(),
            },
        };
        let key = match reference.key() {
            ResourceKey::Name(name) => format!("named `{name}`"),
            ResourceKey::Id(id) => format!("with the id `{id}`"),
        };
        Error::not_found(format!("`{reference}`: the configuration has no {kind} {key}{hint}"))
    }

    /// Returns a list of unambiguous references to `resources`, each with its type and pipeline.
    fn candidates(&self, resources: &[&Resource]) -> String {
        list(resources.iter().map(|resource| {
            let reference = self.unambiguous(resource);
            match &resource.pipeline_id {
                Some(pipeline) => format!("`{reference}` ({} of pipeline `{pipeline}`)", resource.kind),
                None => format!("`{reference}` ({})", resource.kind),
            }
        }))
    }

    /// Returns a reference that matches `resource` only, by name if possible.
    fn unambiguous(&self, resource: &Resource) -> String {
        let Resource { kind, name, id, .. } = resource;
        let by_name = format!("{OWNER}.{OWNER}.{kind}.name.{name}");
        let has_unique_name = self.with_name(name).filter(|other| other.kind == *kind).count() == 1;
        // A name may have characters that are not valid in a reference; such a resource has its id only.
        if has_unique_name && by_name.parse::<Reference>().is_ok() {
            return by_name;
        }
        match self.with_id(id).count() {
            1 => format!("{OWNER}.id.{id}"),
            _ => format!("{OWNER}.{OWNER}.{kind}.id.{id}"),
        }
    }
}

/// Joins items to a list such as "a, b, c and 4 more".
fn list(mut items: impl ExactSizeIterator<Item = String>) -> String {
    let shown: Vec<String> = items.by_ref().take(MAX_LISTED).collect();
    match items.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl fmt::Debug for ResourceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The inventory also holds the keys of the meshes, so it is not shown.
        f.debug_struct("ResourceIndex").finish_non_exhaustive()
    }
}
