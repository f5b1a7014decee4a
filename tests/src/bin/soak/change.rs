//! The changes of the soak test.

use fastrand::Rng;

/// The number of pipelines that changes modify.
pub(crate) const PIPELINES: usize = 6;

/// A change of one pipeline.
#[derive(Debug)]
pub(crate) struct Change {
    /// The id at the control plane.
    pub(crate) id: String,
    pub(crate) pipeline: usize,
    pub(crate) version: usize,
    pub(crate) valid: bool,
}

/// A pipeline whose responses contain its version.
pub(crate) fn document(name: &str, version: usize) -> String {
    format!(
        "[pipelines.{name}]\nnetworks = [\"public\"]\nendpoints = [\"{name}_v{version}\"]\nbackends = [\"{name}\"]\n\n\
         [endpoints.{name}_v{version}]\nservice = \"http\"\noptions.path_prefix = \"/{name}\"\n\n\
         [backends.{name}]\nservice = \"echo\"\n"
    )
}

/// Draws a change: its type, its document, and true if it is valid.
pub(crate) fn random(rng: &mut Rng, pipeline: usize, version: usize) -> (&'static str, String, bool) {
    let valid = document(&format!("p{pipeline}"), version);
    match rng.u32(..16) {
        0 => ("pipeline", format!("{valid}\n[broken\n"), false),
        1 => ("pipeline", valid.replace("endpoints = [\"p", "endpoints = [\"nowhere_p"), false),
        2 => {
            ("pipeline", valid.replace(&format!("[pipelines.p{pipeline}]"), "[pipelines.\"../../x\"]"), false)
        }
        3 => ("firmware", valid, false),
        4 => ("gateway", "[management]\nenabled = false\n".to_owned(), false),
        _ => ("pipeline", valid, true),
    }
}
