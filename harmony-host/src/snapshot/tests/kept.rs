//! Providers that pass from one snapshot to the next.

use provider_api::{
    BuildContext, ConfigSource, Enrollment, InvalidSettings, MeshAuth, Provider, ProviderFactory, Publisher,
    Resolver, Retention, SettingsProfile,
};

use super::*;

#[derive(Debug)]
struct Plain(ProviderName);

impl Provider for Plain {
    fn name(&self) -> &ProviderName {
        &self.0
    }

    fn source(&self) -> Option<&dyn ConfigSource> {
        None
    }

    fn resolver(&self) -> Option<&dyn Resolver> {
        None
    }

    fn mesh_auth(&self) -> Option<&dyn MeshAuth> {
        None
    }

    fn enrollment(&self) -> Option<&dyn Enrollment> {
        None
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        None
    }

    fn retention(&self) -> Option<&dyn Retention> {
        None
    }
}

/// The factory of providers that read resources, or do not.
struct Plains<const READS: bool>;

impl<const READS: bool> ProviderFactory for Plains<READS> {
    const TYPE: &'static str = if READS { "reader" } else { "other" };
    type Settings = toml::Table;

    fn build(&self, context: BuildContext, _: toml::Table) -> Result<Arc<dyn Provider>, InvalidSettings> {
        assert!(READS || context.inventory.resources.is_empty(), "it would keep a configuration in memory");
        Ok(Arc::new(Plain(context.name)))
    }

    fn profile(&self) -> SettingsProfile {
        SettingsProfile::new()
    }

    fn uses_resources(&self) -> bool {
        READS
    }
}

/// A provider that reads no resources is the same after every edit of pipelines; one that does, after those that change none.
#[test]
fn a_provider_is_kept_over_edits_of_what_it_does_not_read() {
    let mut surroundings = surroundings();
    surroundings.registry.register(Plains::<true>).register(Plains::<false>);
    for (primary, over_endpoint) in [("reader", false), ("other", true)] {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("pipelines")).unwrap();
        let config = CONFIG.replace("\"local\"", &format!("\"{primary}\""));
        write(dir.path(), "config.toml", Some(&format!("{config}[provider.{primary}]\nenabled = true\n")));
        let layers = Layers::base_only(&dir.path().join("config.toml"));
        let mut before: Option<Snapshot> = None;
        for (endpoint, timeout, is_kept) in [("a", 1, false), ("a", 2, true), ("b", 2, over_endpoint)] {
            let text = format!(
                "[pipelines.p]\nnetworks = [\"public\"]\nendpoints = [\"{endpoint}\"]\nbackends = [\"b\"]\n\
                 [endpoints.{endpoint}]\nservice = \"http\"\noptions.path_prefix = \"/\"\n\
                 [backends.b]\nservice = \"http\"\ntimeout_secs = {timeout}\noptions.base_url = \"http://u.example\"\n"
            );
            write(dir.path(), "pipelines/a.toml", Some(&text));
            let loaded = Documents::load(&layers, None, None, &Touched::Everything);
            let built = build(&Arc::new(loaded.documents), loaded.problems, &surroundings, before.as_ref());
            let built = built.unwrap_or_else(|refused| panic!("{:?}", refused.problems));
            let primary_of = |snapshot: &Snapshot| Arc::clone(snapshot.providers.primary().unwrap());
            let kept = before.as_ref().is_some_and(|old| Arc::ptr_eq(&primary_of(old), &primary_of(&built)));
            assert_eq!(kept, is_kept, "{primary}: endpoint {endpoint}, timeout {timeout}");
            before = Some(built);
        }
    }
}
