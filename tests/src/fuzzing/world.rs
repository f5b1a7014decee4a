//! A gateway in front of a recording backend, on one thread.

use tokio::runtime::Runtime;

use super::backend::Backend;
use super::stage::{Activity, runtime};
use crate::Site;

pub(super) struct World {
    pub(super) backend: Backend,
    pub(super) site: Site,
    pub(super) activity: Activity,
    pub(super) runtime: Runtime,
}

impl World {
    /// Starts a gateway with the sections that `sections` returns for the URL of the backend.
    pub(super) fn start(sections: impl FnOnce(&str) -> String) -> Self {
        let (runtime, activity) = (runtime(), Activity::default());
        let (backend, site) = runtime.block_on(async {
            let backend = Backend::start(&activity).await;
            let sections = sections(&format!("http://{}", backend.address));
            (backend, Site::serving(&sections).await)
        });
        Self { backend, site, activity, runtime }
    }
}
