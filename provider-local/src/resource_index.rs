use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use provider_api::{Error, Inventory, Reference, Resource, ResourceKey, ResourceType, Result};

/// The only team of local resources, as in `local.local.ingress.name.<name>`.
pub(crate) const OWNER: &str = "local";

/// How many names or candidates a message lists before it only counts the rest.
const LISTED: usize = 5;

/// The resources of a inventory by everything a reference can say of them.
pub(crate) struct ResourceIndex {
    inventory: Arc<Inventory>,
    by_name: HashMap<String, Vec<usize>>,
    by_id: HashMap<String, Vec<usize>>,
    /// What a miss says about the names there are; `None` stands for all types. Written once, because a
    /// reference that misses is asked for again with every request: failures are not cached.
    known: HashMap<Option<ResourceType>, String>,
}

impl ResourceIndex {
    pub(crate) fn new(inventory: Arc<Inventory>) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        let mut by_id: HashMap<String, Vec<usize>> = HashMap::new();
        let mut names: HashMap<Option<ResourceType>, BTreeSet<&str>> = HashMap::new();
        for (at, resource) in inventory.resources.iter().enumerate() {
            by_name.entry(resource.name.clone()).or_default().push(at);
            by_id.entry(resource.id.clone()).or_default().push(at);
            for of in [None, Some(resource.kind)] {
                names.entry(of).or_default().insert(&resource.name);
            }
        }
        let known = names
            .into_iter()
            .map(|(of, names)| (of, list(names.into_iter().map(|name| format!("`{name}`")))))
            .collect();
        Self { inventory, by_name, by_id, known }
    }

    /// The one resource that `reference` fits. Its team is not looked at: everything here has one owner.
    pub(crate) fn find(&self, reference: &Reference) -> Result<&Resource> {
        let same_key: Vec<&Resource> = match reference.key() {
            ResourceKey::Name(name) => self.named(name).collect(),
            ResourceKey::Id(id) => self.identified(id).collect(),
        };
        let fitting: Vec<&Resource> = same_key
            .iter()
            .copied()
            .filter(|resource| reference.resource_type().is_none_or(|kind| kind == resource.kind))
            .collect();
        match *fitting.as_slice() {
            [resource] => Ok(resource),
            [] => Err(self.missing(reference, &same_key)),
            _ => Err(Error::invalid(format!(
                "`{reference}` fits {} resources; say which: {}",
                fitting.len(),
                self.candidates(&fitting)
            ))),
        }
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Resource> {
        self.at(self.by_name.get(name))
    }

    fn identified(&self, id: &str) -> impl Iterator<Item = &Resource> {
        self.at(self.by_id.get(id))
    }

    fn at<'a>(&'a self, places: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Resource> {
        places.into_iter().flatten().filter_map(|at| self.inventory.resources.get(*at))
    }

    fn missing(&self, reference: &Reference, of_other_types: &[&Resource]) -> Error {
        let what = reference.resource_type().map_or("resource", ResourceType::as_str);
        let hint = match reference.key() {
            _ if !of_other_types.is_empty() => format!("; there is {}", self.candidates(of_other_types)),
            ResourceKey::Id(_) => String::new(),
            ResourceKey::Name(_) => match self.known.get(&reference.resource_type()) {
                Some(names) => format!("; known: {names}"),
                None => "; there is none at all".to_owned(),
            },
        };
        let key = match reference.key() {
            ResourceKey::Name(name) => format!("named `{name}`"),
            ResourceKey::Id(id) => format!("with the id `{id}`"),
        };
        Error::not_found(format!("`{reference}`: the configuration has no {what} {key}{hint}"))
    }

    /// References to write instead, each with what tells it from the others.
    fn candidates(&self, resources: &[&Resource]) -> String {
        list(resources.iter().map(|resource| {
            let reference = self.narrowest(resource);
            match &resource.pipeline_id {
                Some(pipeline) => format!("`{reference}` ({} of pipeline `{pipeline}`)", resource.kind),
                None => format!("`{reference}` ({})", resource.kind),
            }
        }))
    }

    /// A reference that fits `resource` and nothing else, by name where that is possible.
    fn narrowest(&self, resource: &Resource) -> String {
        let Resource { kind, name, id, .. } = resource;
        let by_name = format!("{OWNER}.{OWNER}.{kind}.name.{name}");
        let only_of_its_name = self.named(name).filter(|other| other.kind == *kind).count() == 1;
        // A resource that was found by its id may have a name that no reference can spell.
        if only_of_its_name && by_name.parse::<Reference>().is_ok() {
            return by_name;
        }
        match self.identified(id).count() {
            1 => format!("{OWNER}.id.{id}"),
            _ => format!("{OWNER}.{OWNER}.{kind}.id.{id}"),
        }
    }
}

/// `a, b, c and 4 more`
fn list(mut items: impl ExactSizeIterator<Item = String>) -> String {
    let shown: Vec<String> = items.by_ref().take(LISTED).collect();
    match items.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl fmt::Debug for ResourceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The inventory holds the keys of the meshes as well, so only its resources are counted.
        f.debug_struct("ResourceIndex").field("resources", &self.inventory.resources.len()).finish()
    }
}
