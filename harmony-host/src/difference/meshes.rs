//! Differences of the members of meshes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::LinkedMesh;
use crate::difference::draft::Drafts;
use crate::difference::entry::{Kind, Sign};
use crate::snapshot::Snapshot;

/// Compares the members of enabled meshes. A mesh that is disabled has none.
pub(super) fn compare(before: Option<&Snapshot>, after: &Snapshot, drafts: &mut Drafts) {
    let old = before.map(|before| &before.config.meshes);
    if old.is_some_and(|old| Arc::ptr_eq(old, &after.config.meshes)) {
        return;
    }
    let old: BTreeMap<&str, &LinkedMesh> = old.map(|old| by_name(old)).unwrap_or_default();
    let new = by_name(&after.config.meshes);
    for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
        let (was, is) = (members(old.get(name).copied()), members(new.get(name).copied()));
        for gone in was.difference(&is) {
            drafts.add(Sign::Removed, Kind::MeshMember, format!("{gone} of mesh {name}"), None);
        }
        for come in is.difference(&was) {
            drafts.add(Sign::Added, Kind::MeshMember, format!("{come} of mesh {name}"), None);
        }
    }
}

fn by_name(meshes: &[LinkedMesh]) -> BTreeMap<&str, &LinkedMesh> {
    meshes.iter().map(|linked| (linked.mesh.name.as_str(), linked)).collect()
}

/// Returns the members of a mesh in words.
fn members(mesh: Option<&LinkedMesh>) -> BTreeSet<String> {
    let Some(mesh) = mesh else { return BTreeSet::new() };
    let own = |kind: &'static str| {
        move |(pipeline, name): &(String, String)| format!("{kind} {name} of pipeline {pipeline}")
    };
    let ingress = mesh.ingress.iter().map(own("ingress"));
    let egress = mesh.egress.iter().map(own("egress"));
    let remote = mesh.remote.iter().map(|reference| format!("ingress {reference}"));
    let destinations = mesh.destinations.iter().map(|reference| format!("destination {reference}"));
    ingress.chain(egress).chain(remote).chain(destinations).collect()
}
