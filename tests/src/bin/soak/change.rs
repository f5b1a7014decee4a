use fastrand::Rng;

/// How many pipelines changes are about.
pub(crate) const PIPELINES: usize = 6;

/// A change of one pipeline.
#[derive(Debug)]
pub(crate) struct Change {
    /// Its id at the control plane.
    pub(crate) id: String,
    pub(crate) pipeline: usize,
    pub(crate) version: usize,
    pub(crate) good: bool,
}

/// A pipeline that says in its answers which version it is.
pub(crate) fn document(name: &str, version: usize) -> String {
    format!(
        "[pipelines.{name}]\nnetworks = [\"public\"]\nendpoints = [\"{name}_v{version}\"]\nbackends = [\"{name}\"]\n\n\
         [endpoints.{name}_v{version}]\nservice = \"http\"\noptions.path_prefix = \"/{name}\"\n\n\
         [backends.{name}]\nservice = \"echo\"\n"
    )
}

/// What a change brings: its type and its document, and whether it can be applied.
pub(crate) fn random(rng: &mut Rng, pipeline: usize, version: usize) -> (&'static str, String, bool) {
    let good = document(&format!("p{pipeline}"), version);
    match rng.u32(..16) {
        0 => ("pipeline", format!("{good}\n[broken\n"), false),
        1 => ("pipeline", good.replace("endpoints = [\"p", "endpoints = [\"nowhere_p"), false),
        2 => {
            ("pipeline", good.replace(&format!("[pipelines.p{pipeline}]"), "[pipelines.\"../../x\"]"), false)
        }
        3 => ("firmware", good, false),
        4 => ("gateway", "[management]\nenabled = false\n".to_owned(), false),
        _ => ("pipeline", good, true),
    }
}
