//! The check for options of a middleware under a misspelled name.

use std::collections::HashSet;
use std::sync::Arc;

use crate::config::Middleware;
use crate::config::alternatives::KnownNames;
use crate::config::link::LinkedPipeline;
use crate::config::lookup::Lookup;
use crate::diagnostics::problem::Problems;

/// Adds an error for a middleware that no pipeline uses and whose name is a likely misspelling of a type that pipelines use
/// without a definition: its options were meant for that use, and would be ignored.
pub(crate) fn check(
    pipelines: &[Arc<LinkedPipeline>],
    middleware: &Lookup<'_, Middleware>,
    problems: &mut Problems,
) {
    let used = || pipelines.iter().flat_map(|linked| &linked.pipeline.middleware);
    let names: HashSet<&str> = used().map(|at| at.value.as_str()).collect();
    let bare = used().filter(|at| middleware.is_undefined(&at.value));
    let bare = KnownNames::new(bare.map(|at| at.value.as_str()));
    for unused in middleware.all().filter(|one| !names.contains(one.name.as_str())) {
        if let Some(meant) = bare.nearest(&unused.name) {
            problems
                .error(
                    Some(&unused.place),
                    format!("middleware.{}", unused.name),
                    "no pipeline uses this middleware",
                )
                .help(format!("did you mean [middleware.{meant}]?"));
        }
    }
}
